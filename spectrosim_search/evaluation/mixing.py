"""What each class adds to the embedding of a mixture, learnt from mixtures of training spectra.

The embedding of a mixture only lies near the sum of its components' centres (:mod:`spectrosim_search.evaluation
.mixtures`): encoders bend, and preprocessing such as a square root is not linear. How it strays shows in mixtures that
can be made of training spectra. Two things are learnt from them, in closed form, with the encoder as it is:

- **parts**: what each class adds, by ridge regression of the mixtures' embeddings on their members; classes that the
  mixtures say little of keep their centres.
- **whitening**: coordinates in which what is left over varies alike in all directions, so that those along which
  mixtures stray anyway count less. The linear metric does the same with what varies inside a batch. With fewer than two
  mixtures for each direction there is none.

Sets of classes are then searched as before, by the cosine between the query and the sum of their parts, both whitened.

Shapes: n mixtures, k members, C classes, D features.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.identification import unit_rows
from spectrosim_search.evaluation.mixtures import draw_mixtures, name_components

__all__ = ["ORDERS", "PER_CLASS", "Mixing", "fit_mixing", "practised"]

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
ORDERS = (2, 3, 4)  # members of the mixtures that are learnt from
PER_CLASS = 10  # mixtures of each number of members, for each class
# Chosen on mixtures of validation spectra of 500 simulated classes and of massbank-ei-a (python -m benchmarks.mixing):
# a third or three times of either changes the share of mixtures with all members right by .04 at most.
RIDGE = 10.0  # mixtures that a class's own centre weighs as much as
# Added to the variance in every direction, times the median over directions. The training spectra have shaped the
# embedding, so what their mixtures leave over is smaller than it will be: where it varies alike in all directions, as
# in a metric that was whitened before, there is little to learn; networks leave a few directions that hold nearly all.
SHRINKAGE = 3.0
MOST = 5_000  # mixtures of each number of members, however many classes: the cost grows with their number cubed
_AT_ONCE = 500  # mixtures made and embedded together


@dataclass(frozen=True, eq=False)
class Mixing:
    """Parts ``(C, D)`` and the whitening ``(D, D)`` that they have been multiplied by, and embeddings of unit length
    are, or None."""

    parts: Floats
    whitening: Floats | None

    def name_components(
        self, queries: NDArray[np.floating], order: int
    ) -> tuple[list[Ints], list[NDArray[np.float64]]]:
        """Best sets of 1 … `order` classes for embeddings ``(q, D)``, with scores: as
        :func:`spectrosim_search.evaluation.mixtures.name_components`, which says what it raises.
        """
        return name_components(self.whitened(unit_rows(queries)), self.parts, order)

    def whitened(self, z: Floats) -> Floats:
        """Embeddings ``(q, D)`` in the coordinates of the parts."""
        return z if self.whitening is None else np.asarray(z @ self.whitening)

    def extended(self, centres: NDArray[np.floating]) -> Mixing:
        """With classes that came later and were in no mixture: their unit centres are the last of ``(C', D)``.

        Classes that were there keep their parts.
        """
        new = self.whitened(np.asarray(centres, dtype=np.float32)[len(self.parts) :])
        return Mixing(np.concatenate([self.parts, new]), self.whitening)


def practised(
    classes: Ints, per_class: int, seed: int, embedded: Callable[[Ints], NDArray[np.floating]]
) -> Iterator[tuple[Floats, Ints]]:
    """Mixtures to learn from, some at a time: their embeddings ``(n, D)`` and the classes of their members ``(n, k)``.

    classes ``(N,)``, 0 to C - 1, all of them there, of the spectra that are mixed; `embedded` embeds the mixtures of
    rows ``(n, k)`` of these. There are `per_class` × C mixtures, 5,000 at most, of 2, of 3 and of 4 members, as far as
    there are classes, each member equally likely.
    """
    count = int(classes.max()) + 1
    for order in ORDERS:
        if order > count:
            return
        rows = draw_mixtures(classes, order, min(MOST, per_class * count), seed)
        for at in range(0, len(rows), _AT_ONCE):
            part = rows[at : at + _AT_ONCE]
            yield np.asarray(embedded(part), dtype=np.float32), classes[part]


def fit_mixing(
    mixtures: Iterable[tuple[NDArray[np.floating], Ints]],
    centres: NDArray[np.floating],
    *,
    ridge: float = RIDGE,
    shrinkage: float = SHRINKAGE,
) -> Mixing:
    """Learn parts and whitening from mixtures as :func:`practised` gives them and unit class centres ``(C, D)``.

    With Z the mixtures' embeddings at unit length and M their members, divided by the length of the sum of their
    centres C: parts P = C + (MᵀM + ridge)⁻¹ Mᵀ (Z - M C), left over Z - M P. Raises InputError where there is no
    mixture.
    """
    known = np.asarray(centres, dtype=np.float64)
    count, width = known.shape
    given = [(unit_rows(embedded), members) for embedded, members in mixtures]
    if not given:
        raise InputError("no mixture to learn from: two classes are needed")
    n = sum(len(members) for _, members in given)
    whitens = n >= 2 * width
    square, cross = np.zeros((count, count)), np.zeros((count, width))
    total = np.zeros((width, width) if whitens else 0)
    for embedded, members in given:
        z = embedded.astype(np.float64)
        size = np.linalg.norm(known[members].sum(axis=1), axis=1)
        weights = np.zeros((len(z), count))
        np.put_along_axis(weights, members, (1 / np.where(size > 0, size, 1.0))[:, None], axis=1)
        beside = z - weights @ known
        square, cross = square + weights.T @ weights, cross + weights.T @ beside
        if whitens:
            total += beside.T @ beside
    change = np.linalg.solve(square + ridge * np.eye(count), cross)
    if not whitens:
        return Mixing((known + change).astype(np.float32), None)
    left = (total - change.T @ cross - cross.T @ change + change.T @ square @ change) / n
    variance, axes = np.linalg.eigh((left + left.T) / 2)
    variance = np.maximum(variance, 0.0)
    variance += max(shrinkage * float(np.median(variance)), 1e-9 * float(variance.mean()), np.finfo(np.float64).tiny)
    whitening = axes / np.sqrt(variance) * np.sqrt(variance.mean())
    return Mixing(((known + change) @ whitening).astype(np.float32), whitening.astype(np.float32))
