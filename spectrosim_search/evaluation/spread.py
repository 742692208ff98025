"""The variance over groups of a mean of parts: a delete-one-group jackknife, freed of what it counts too often.

Groups meet only inside a part (a half of a fold's validation groups). Delete one of two and the whole part is gone: the
jackknife counts what both bring about together once for each of them, and more often still in small parts (Efron &
Stein 1981, Ann. Stat. 9:586, secs. 2 and 4). Three sums of squares: the jackknife's over groups (T1), that of second
differences over pairs of groups (T2), and the variance that is asked for. The layout alone (who meets whom in which
part, :mod:`~spectrosim_search.evaluation.layout`) says what each is made of in expectation: so much of what groups do
alone (variance A), so much of what two do together (variance B). T1 and T2 are solved for A and B, B between 0 and A:
more would have to be believed on the word of a few second differences (docs/statistics.md).

With a group left out, a part weighs by those of its groups that can still be scored. So a part of two vanishes with
either of them and is compared with the parts that are left, which hold other groups.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.layout import Layout, PartLayout, part_layout
from spectrosim_search.evaluation.methods import Blocks, Method, local_codes, mean_defined
from spectrosim_search.evaluation.resampling import part_values

__all__ = ["LeftOut", "Spread", "leave_out", "spread"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

SMALLEST = 4  # groups of a part: three leave no second difference
MOST = 800  # pairs of groups that meet; where there are more the parts are large, and the correction is not needed
MIXED = 0.25  # second differences that hold more of what groups do alone (relative squares) are not used
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class LeftOut:
    """value: the score. change ``(G,)``: what leaving each group out takes off it, NaN where nothing would be left.
    mixed ``(G, G)``: second differences, above the diagonal, 0 where none are taken."""

    value: float
    change: FloatArray
    mixed: FloatArray
    layout: Layout


@dataclass(frozen=True)
class Spread:
    """Standard error over groups and Student's degrees of freedom; NaN where undefined."""

    error: float
    degrees: float


@dataclass(frozen=True, eq=False)
class _Part:
    """values ``(R,)`` under the layout's weightings; share: of the score. cell: its number."""

    cell: int
    members: IntArray
    layout: PartLayout
    values: FloatArray
    share: float

    def forms(self) -> FloatArray:
        """Under each weighting the value, and the coefficients of a and b ``(R, 1 + n + n (n - 1) / 2)``."""
        known = np.where(np.isnan(self.values), 0.0, self.values)
        return np.concatenate([known[:, None], self.layout.first, self.layout.second], axis=1)

    def left(self) -> FloatArray:
        """Share of its groups that can still be scored ``(R,)``."""
        usable = np.where(np.isnan(self.values), 0.0, self.layout.usable)
        return np.asarray(usable / max(self.layout.usable[0], 1.0), dtype=np.float64)

    def contrasts(self) -> FloatArray:
        """Second differences ``n s - (n - 1) (s_g + s_h) + (n - 2) s_gh`` as rows over the weightings; rows of zeros
        where one is undefined or also holds what groups do alone (as in parts of very unequal groups)."""
        n = len(self.members)
        rows, columns = np.triu_indices(n, 1)
        at = np.arange(len(rows))
        out = np.zeros((len(rows), len(self.values)))
        out[:, 0] = n
        out[at, 1 + rows] = out[at, 1 + columns] = 1.0 - n
        out[at, 1 + n + at] = n - 2.0
        known = ~np.isnan(self.values)
        first, second = out @ self.layout.first, out @ self.layout.second
        good = known[1 + rows] & known[1 + columns] & known[1 + n :]
        good &= (first**2).sum(axis=1) <= MIXED * (second**2).sum(axis=1)
        return out * good[:, None]


def _parts(method: Method, blocks: Blocks, metric: str) -> tuple[list[_Part], IntArray]:
    """Parts with a score, and the number ``(G, G)`` of each pair of groups that meet, -1 for others."""
    located = [(number, part, *local_codes(part, blocks)) for number, cell in enumerate(method) for part in cell]
    meet = np.zeros((blocks.count, blocks.count), dtype=np.bool_)
    for _, _, members, *_ in located:
        meet[np.ix_(members, members)] = True
    number_of = np.full(meet.shape, -1)
    met = np.triu(meet, 1)
    number_of[met] = np.arange(met.sum())
    found = []
    for number, part, members, left, right in located:
        twice = len(members) >= SMALLEST and met.sum() <= MOST
        layout = part_layout(part, left, right, len(members), metric, twice=bool(twice))
        values = part_values(part, left, right, layout.weights, metric)
        if not math.isnan(values[0]):
            found.append((number, members, layout, values))
    counts = np.bincount([number for number, *_ in found], minlength=1)
    cells = int((counts > 0).sum())
    return [_Part(number, m, laid, v, 1.0 / (counts[number] * cells)) for number, m, laid, v in found], number_of


def _mean(parts: Sequence[_Part], cells: int) -> float:
    """Mean over cells of the mean over their parts, in the order and to the bit of `values_under`."""
    scores = [[part.values[0] for part in parts if part.cell == cell] for cell in range(cells)]
    return float(mean_defined(np.array([float(mean_defined(np.array(s))) for s in scores if s])))


def leave_out(method: Method, blocks: Blocks, metric: str) -> LeftOut:
    """Score of the method, what each group does to it, what each two do together, and the layout behind."""
    parts, number_of = _parts(method, blocks, metric)
    size, pairs = blocks.count, int(number_of.max(initial=-1)) + 1
    columns = 1 + size + pairs  # the score, a of each group, b of each pair that meets
    whole, change, weight = np.zeros(columns), np.zeros((size, columns)), np.ones(size)
    mixed = np.zeros((pairs if any(part.layout.twice for part in parts) else 0, columns))
    for part in parts:
        n, forms, left = len(part.members), part.forms(), part.left()
        low, high = np.triu_indices(n, 1)
        own = number_of[part.members[low], part.members[high]]
        where = np.concatenate([[0], 1 + part.members, 1 + size + own])
        whole[where] += part.share * forms[0]
        change[np.ix_(part.members, where)] += part.share * (left[1 : 1 + n, None] * forms[1 : 1 + n] - forms[0])
        weight[part.members] += part.share * (left[1 : 1 + n] - 1.0)
        if part.layout.twice:
            mixed[np.ix_(own, where)] += part.share * (part.contrasts() @ forms)
    gone = weight < NOTHING
    change = whole - (whole + change) / np.where(gone, 1.0, weight)[:, None]
    kept = change[~gone, 1:]
    layout = Layout.of(kept - kept.mean(axis=0) if len(kept) else kept, mixed[:, 1:], whole[None, 1:], size)
    value = _mean(parts, len(method))
    differences = np.zeros((size, size))
    if len(mixed):
        differences[number_of >= 0] = mixed[:, 0]
    return LeftOut(value, np.where(gone, np.nan, change[:, 0]), differences, layout)


def spread(change: FloatArray, mixed: FloatArray, layouts: Sequence[Layout]) -> Spread:
    """Standard error of the value whose changes and second differences these are.

    layouts: of the one method, or of both whose difference it is; where these differ (in seeds) their coefficients are
    averaged and the fewer degrees of freedom are taken.
    """
    known = change[~np.isnan(change)]
    jackknife, second, variance = (
        np.mean([getattr(laid, name) for laid in layouts], axis=0) for name in ("jackknife", "second", "variance")
    )
    if len(known) < 2 or not jackknife.min() > 0:
        return Spread(float("nan"), float("nan"))
    one, two = float(((known - known.mean()) ** 2).sum()), float((mixed**2).sum())
    alone, together = _components(one, two, jackknife, second, variance)
    degrees = [laid.degrees(alone, together) if one > 0 else laid.degrees(1.0, 0.0) for laid in layouts]
    return Spread(math.sqrt(float(variance @ [alone, together])), min(degrees))


def _components(
    one: float, two: float, jackknife: FloatArray, second: FloatArray, variance: FloatArray
) -> tuple[float, float]:
    """A and B, B between 0 and A, that give `one` exactly and `two` as nearly as can be.

    Where second differences say nothing: whichever end makes the variance larger, which matters only where groups of
    small parts change partners.
    """
    most = one / float(jackknife.sum())
    determinant = jackknife[0] * second[1] - jackknife[1] * second[0]
    if second[1] > 0 and determinant > 0:
        together = min(max(float(two * jackknife[0] - one * second[0]) / float(determinant), 0.0), most)
    else:
        together = most if variance[1] * jackknife[0] > variance[0] * jackknife[1] else 0.0
    return (one - float(jackknife[1]) * together) / float(jackknife[0]), together
