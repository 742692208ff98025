"""Epoch curves of one cell, and what a replicate of that cell has to reach after each epoch (DESIGN §7)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["CURVES", "QUANTILE", "SLACK", "WARM_UP", "Curves"]

CURVES = 8  # curves of a cell needed before any replicate is stopped by them
QUANTILE = 0.2  # of the curves of a cell: below it a replicate is stopped
SLACK = 0.02  # below that score by this much: near the ceiling a fifth of good replicates would be stopped for noise
WARM_UP = 0.3  # share of the epochs in which no replicate is stopped; the learning rate rises that long by default
_ROOM = 64


class Curves:
    """Curves of a cell's earlier replicates; thousands of them cost a hand-out a few milliseconds.

    Every curve becomes its best score so far (mean of the halves), is extended by its last value where training
    ended early and read at the same share of the schedule, since trials differ in epochs. Stopped replicates belong
    here as well: left out, the reference would creep upwards.
    """

    def __init__(self) -> None:
        self._best: list[tuple[NDArray[np.float32], int]] = []
        self._tables: dict[int, NDArray[np.float32]] = {}  # epochs → (epochs, room): columns are curves

    def add(self, curve: NDArray[np.float32], schedule: int) -> None:
        """Take a curve ``(E + 1, 2)``, epoch 0 first, of a replicate whose schedule had `schedule` epochs."""
        best = np.maximum.accumulate(np.nan_to_num(curve.mean(axis=1), nan=-np.inf))[1:]
        if not len(best):
            return
        self._best.append((best, schedule))
        count = len(self._best)
        for epochs, table in self._tables.items():
            if count > table.shape[1]:
                wider = np.empty((epochs, 2 * count), dtype=np.float32)
                wider[:, : count - 1] = table[:, : count - 1]
                self._tables[epochs] = table = wider
            table[:, count - 1] = _read(best, schedule, epochs)

    def reference(self, epochs: int) -> NDArray[np.float32] | None:
        """Scores below which a replicate is stopped, after each of `epochs` epochs: ``(epochs,)``.

        None below eight curves; minus infinity during the warm-up.
        """
        count = len(self._best)
        if count < CURVES:
            return None
        if epochs not in self._tables:
            table = np.empty((epochs, count + _ROOM), dtype=np.float32)
            for column, (best, schedule) in enumerate(self._best):
                table[:, column] = _read(best, schedule, epochs)
            self._tables[epochs] = table
        place = math.floor(QUANTILE * (count - 1))
        known = self._tables[epochs][:, :count]
        reference: NDArray[np.float32] = np.partition(known, place, axis=1)[:, place] - np.float32(SLACK)
        reference[np.arange(1, epochs + 1) / epochs <= WARM_UP] = -np.inf
        return reference


def _read(best: NDArray[np.float32], schedule: int, epochs: int) -> NDArray[np.float32]:
    """A curve at the shares of its schedule that `epochs` epochs of another one stand for."""
    share = np.arange(1, epochs + 1) / epochs
    place = np.ceil(share * schedule - 1e-9).astype(np.int64) - 1
    return best[np.minimum(place, len(best) - 1)]
