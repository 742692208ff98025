"""A method's scores under weightings of the groups: seeds, folds and halves averaged first.

A *method* is a sequence over cells (fold × seed) of a sequence of parts (the halves, or the held-out part). Its score
is the mean over cells of the mean over a cell's parts; parts and cells where the metric is undefined are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.resampling import part_values
from spectrosim_search.evaluation.scores import PairScores

__all__ = ["MAX_BLOCKS", "Blocks", "Method", "local_codes", "mean_defined", "values_under", "values_without"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Method = Sequence[Sequence[PairScores]]

MAX_BLOCKS = 100


@dataclass(frozen=True, eq=False)
class Blocks:
    """What is deleted or drawn as a whole.

    of_row: block of each spectrum ``(N,)``, -1 for spectra in no judged pair. count: number of blocks; units above
    :data:`MAX_BLOCKS` are merged at random into that many (delete-a-block jackknife), which costs precision of the
    interval only. scored: blocks that hold positive pairs which the metric can use; degrees of freedom are fewer.
    """

    of_row: IntArray
    count: int
    scored: int

    @classmethod
    def of(cls, methods: Iterable[Method], units: NDArray[np.int64], metric: str = "auc") -> Blocks:
        """Blocks over all spectra that these methods judge; `units` ``(N,)`` codes, -1 for spectra left out.

        Under `matched_auc` a positive pair counts where its part has a negative pair of the same label pair: twelve
        groups of which four can be matched are four observations, not twelve.
        """
        touched = np.zeros(len(units), dtype=np.bool_)
        scored = np.zeros(len(units), dtype=np.bool_)
        for method in methods:
            for part in (p for cell in method for p in cell):
                touched[part.left] = touched[part.right] = True
                used = part.positive
                if metric == "matched_auc":
                    negative = part.stratum[~part.positive]
                    used = used & (part.stratum >= 0) & np.isin(part.stratum, negative)
                scored[part.left[used]] = True
        if (units[touched] < 0).any():
            raise ValueError("a judged pair holds a spectrum without a group")
        names, inverse = np.unique(units[touched], return_inverse=True)
        count = len(names)
        if count > MAX_BLOCKS:
            merged = np.random.default_rng([17, count]).permutation(np.arange(count) % MAX_BLOCKS)
            inverse, count = merged[inverse], MAX_BLOCKS
        of_row = np.full(len(units), -1, dtype=np.int64)
        of_row[touched] = inverse
        return cls(of_row, count, len(np.unique(of_row[scored])))


def mean_defined(table: FloatArray, axis: int = 0) -> FloatArray:
    """Mean over the defined entries of an axis; NaN where there are none."""
    defined = ~np.isnan(table)
    counts = defined.sum(axis=axis)
    sums = np.where(defined, table, 0.0).sum(axis=axis)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), dtype=np.float64)


def local_codes(part: PairScores, blocks: Blocks) -> tuple[IntArray, IntArray, IntArray]:
    """Blocks of a part, and the number of each pair's two blocks among them."""
    both = np.concatenate([blocks.of_row[part.left], blocks.of_row[part.right]])
    members, codes = np.unique(both, return_inverse=True)
    half = len(part.left)
    return members.astype(np.int64), codes[:half].astype(np.int64), codes[half:].astype(np.int64)


def values_under(method: Method, blocks: Blocks, weights: FloatArray, metric: str) -> FloatArray:
    """Score of the method under each row of `weights` ``(R, blocks)``."""
    cells = []
    for cell in method:
        parts = []
        for part in cell:
            members, left, right = local_codes(part, blocks)
            parts.append(part_values(part, left, right, weights[:, members], metric))
        cells.append(mean_defined(np.array(parts).reshape(len(parts), len(weights))))
    return mean_defined(np.array(cells).reshape(len(cells), len(weights)))


def values_without(method: Method, blocks: Blocks, metric: str) -> tuple[float, FloatArray]:
    """Score of the method, and its score without each block in turn ``(blocks,)``.

    A part is scored again only for the blocks it holds.
    """
    cells = []
    for cell in method:
        table = np.full((len(cell), 1 + blocks.count), np.nan)
        for row, part in enumerate(cell):
            members, left, right = local_codes(part, blocks)
            own = np.concatenate([np.ones((1, len(members))), 1.0 - np.eye(len(members))])
            found = part_values(part, left, right, own, metric)
            table[row] = found[0]
            table[row, 1 + members] = found[1:]
        cells.append(mean_defined(table))
    values = mean_defined(np.array(cells).reshape(len(cells), 1 + blocks.count))
    return float(values[0]), values[1:]
