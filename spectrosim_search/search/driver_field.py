"""The driver's picture of a study: every trial, every result, what could be trained next. It decides nothing."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.search.ladder import Climb, reference_curve
from spectrosim_search.search.records import ReplicateRecord
from spectrosim_search.search.store_slots import Slot
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.pool import CANCELLED

__all__ = ["Field", "Trial"]


@dataclass
class Trial:
    """One trial of the study; `keys` name the replicates of its cells in order, `mine` whether this driver owns it."""

    slot: Slot
    number: int
    configuration: Configuration
    keys: tuple[str, ...]
    mine: bool

    @property
    def open(self) -> bool:
        """Whether this driver has still to decide on it."""
        return self.mine and self.slot.state == "running"


@dataclass(frozen=True)
class _Result:
    score: float
    status: str
    reason: str
    seconds: float


class Field:
    """Trials by slot, results by replicate key, curves by cell."""

    def __init__(self, bench: Workbench) -> None:
        self._bench = bench
        self.trials: dict[int, Trial] = {}
        self.results: dict[str, _Result] = {}
        self._curves: dict[int, list[tuple[NDArray[np.float32], int]]] = {}

    @property
    def cells(self) -> int:
        """Number of cells of a trial that climbs the whole ladder."""
        return len(self._bench.cells)

    def add_trial(self, slot: Slot, number: int, configuration: Configuration, *, mine: bool) -> Trial:
        """Take a trial into the picture."""
        identity = configuration.identity
        keys = tuple(self._bench.key("search", identity, c.fold, c.seed) for c in self._bench.cells)
        trial = Trial(slot, number, configuration, keys, mine)
        self.trials[slot.slot] = trial
        return trial

    def add_result(self, record: ReplicateRecord, epochs: int) -> None:
        """Take a stored replicate into the picture; `epochs` is the length of its schedule."""
        if record.phase != "search" or record.key in self.results:
            return
        self.results[record.key] = _Result(record.score, record.status, record.reason, record.total_seconds)
        ended_by_itself = record.status == "finished" or (record.status == "stopped" and record.reason != CANCELLED)
        if ended_by_itself and len(record.curve) > 1:
            self._curves.setdefault(record.cell, []).append((record.curve, epochs))

    def climb(self, trial: Trial) -> Climb:
        """How far a trial has come."""
        scores: list[float] = []
        for key in trial.keys:
            result = self.results.get(key)
            if result is None or math.isnan(result.score):
                break
            scores.append(result.score)
            if result.status != "finished":
                break
        return Climb(tuple(scores), trial.slot.granted, self._broken(trial))

    def _broken(self, trial: Trial) -> str:
        for cell, key in enumerate(trial.keys):
            result = self.results.get(key)
            if result is None:
                continue
            if result.status != "finished":
                return (
                    f"cell {cell} {result.status}: {result.reason}" if result.reason else f"cell {cell} {result.status}"
                )
            if math.isnan(result.score):
                return f"the score of cell {cell} is undefined"
        return ""

    def climbs(self) -> list[Climb]:
        """All trials, in the order of their slots."""
        return [self.climb(self.trials[slot]) for slot in sorted(self.trials)]

    def waiting(self, busy: Collection[str]) -> list[tuple[Trial, int]]:
        """(trial, cell) that may be trained now and is not: the highest rung first, then by slot and cell."""
        found: list[tuple[int, int, int]] = []
        named = set(busy)
        for slot, trial in sorted(self.trials.items()):
            if not trial.open:
                continue
            for cell, key in enumerate(trial.keys[: trial.slot.granted]):
                if key not in self.results and key not in named:
                    named.add(key)
                    found.append((-trial.slot.granted, slot, cell))
        return [(self.trials[slot], cell) for _, slot, cell in sorted(found)]

    def fresh(self, busy: Collection[str]) -> int:
        """Own trials of which no cell has been started."""
        return sum(
            trial.open and not any(key in self.results or key in busy for key in trial.keys)
            for trial in self.trials.values()
        )

    def reference(self, cell: int, epochs: int) -> NDArray[np.float32] | None:
        """What a replicate of a cell is stopped by."""
        return reference_curve(self._curves.get(cell, ()), epochs)

    def mean_seconds(self) -> float:
        """Mean cost of a replicate; NaN before the first."""
        return float(np.mean([r.seconds for r in self.results.values()])) if self.results else float("nan")

    def best(self) -> tuple[int | None, float, float]:
        """(number, mean, standard error over cells) of the best among the trials with the most cells.

        Trials with fewer cells are left out: the best of many single cells is luck.
        """
        climbs = [(t, self.climb(t)) for _, t in sorted(self.trials.items())]
        n = max((len(c.scores) for _, c in climbs if not c.broken), default=0)
        if n == 0:
            return None, float("nan"), float("nan")
        level = [(t, c) for t, c in climbs if len(c.scores) == n and not c.broken]
        trial, climb = max(level, key=lambda pair: pair[1].mean())
        error = float(np.std(climb.scores, ddof=1)) / math.sqrt(n) if n > 1 else float("nan")
        return trial.number, climb.mean(), error
