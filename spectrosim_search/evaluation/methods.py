"""A method's scores under weightings of the groups: seeds, folds and halves averaged first.

A *method* is a sequence over cells (fold × seed) of a sequence of parts (the halves, or the held-out part). Its score
is the mean over cells of the mean over a cell's parts; parts and cells where the metric is undefined are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.frames import frame_of
from spectrosim_search.evaluation.resampling import part_values
from spectrosim_search.evaluation.scores import PairScores

__all__ = ["Method", "mean_defined", "values_under", "values_without"]

FloatArray = NDArray[np.float64]
Method = Sequence[Sequence[PairScores]]


def mean_defined(table: FloatArray, axis: int = 0) -> FloatArray:
    """Mean over the defined entries of an axis; NaN where there are none."""
    defined = ~np.isnan(table)
    counts = defined.sum(axis=axis)
    sums = np.where(defined, table, 0.0).sum(axis=axis)
    return np.asarray(np.where(counts > 0, sums / np.maximum(counts, 1), np.nan), dtype=np.float64)


def values_under(method: Method, blocks: Blocks, weights: FloatArray, metric: str) -> FloatArray:
    """Score of the method under each row of `weights` ``(R, blocks)``."""
    cells = []
    for cell in method:
        parts = []
        for part in cell:
            frame = frame_of(part, blocks)
            parts.append(part_values(part, frame, weights[:, frame.members], metric))
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
            frame = frame_of(part, blocks)
            n = len(frame.members)
            found = part_values(part, frame, np.concatenate([np.ones((1, n)), 1.0 - np.eye(n)]), metric)
            table[row] = found[0]
            table[row, 1 + frame.members] = found[1:]
        cells.append(mean_defined(table))
    values = mean_defined(np.array(cells).reshape(len(cells), 1 + blocks.count))
    return float(values[0]), values[1:]
