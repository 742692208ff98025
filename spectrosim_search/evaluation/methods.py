"""A method's scores under weightings of the groups: seeds, folds and halves averaged first.

A *method* is a sequence over cells (fold × seed) of a sequence of parts (the halves, or the held-out part). Its score
is the mean over cells of the mean over a cell's parts; parts and cells where the metric is undefined are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.frames import Frame, frame_of
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


def values_under(methods: Sequence[Method], blocks: Blocks, weights: FloatArray, metric: str) -> FloatArray:
    """Score of each of T methods under each row of `weights` ``(R, blocks)``: ``(T, R)``."""

    def under(parts: Sequence[PairScores], frame: Frame) -> FloatArray:
        return part_values(parts, frame, weights[:, frame.members], metric)

    return _means(methods, blocks, len(weights), under)


def values_without(methods: Sequence[Method], blocks: Blocks, metric: str) -> FloatArray:
    """Score of each of T methods without each block in turn ``(T, blocks)``.

    A part is scored again only for the blocks it holds.
    """

    def without(parts: Sequence[PairScores], frame: Frame) -> FloatArray:
        n = len(frame.members)
        found = part_values(parts, frame, np.concatenate([np.ones((1, n)), 1.0 - np.eye(n)]), metric)
        table = np.repeat(found[:, :1], blocks.count, axis=1)
        table[:, frame.members] = found[:, 1:]
        return table

    return _means(methods, blocks, blocks.count, without)


def _means(
    methods: Sequence[Method],
    blocks: Blocks,
    size: int,
    score: Callable[[Sequence[PairScores], Frame], FloatArray],
) -> FloatArray:
    """Mean over cells of the mean over their parts ``(T, size)``; methods on the same pairs are scored at once."""
    asked: dict[Frame, list[tuple[int, int, int, PairScores]]] = {}
    for t, method in enumerate(methods):
        for c, cell in enumerate(method):
            for p, part in enumerate(cell):
                asked.setdefault(frame_of(part, blocks), []).append((t, c, p, part))
    values = [[np.full((len(cell), size), np.nan) for cell in method] for method in methods]
    for frame, places in asked.items():
        found = score([part for *_, part in places], frame)
        for (t, c, p, _), row in zip(places, found, strict=True):
            values[t][c][p] = row
    return np.array(
        [mean_defined(np.array([mean_defined(c) for c in cells]).reshape(len(cells), size)) for cells in values]
    ).reshape(len(methods), size)
