"""The driver's picture of a study: every trial, every result, what could be trained next. It decides nothing."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.search.bench import Bench
from spectrosim_search.search.ladder import Climb, rungs
from spectrosim_search.search.ladder_curves import Curves
from spectrosim_search.search.records import ReplicateRecord
from spectrosim_search.search.store_slots import Slot
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
    """Trials by slot, results by replicate key, curves by cell.

    What follows from trials and results is kept and brought up to date where they change, so that a replicate costs
    the driver about as much after ten thousand trials as after ten.
    """

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.trials: dict[int, Trial] = {}
        self.results: dict[str, _Result] = {}
        self.states: Counter[str] = Counter()  # trials by the state of their slot
        self.failures = 0  # earlier trials of these slots that the infrastructure failed
        self._seconds = 0.0
        self._curves: dict[int, Curves] = {}
        self._open: dict[int, Trial] = {}
        self._needed: dict[str, list[int]] = {}  # replicate key → slots whose trials it belongs to
        self._climbs: list[Climb] = []  # in the order of slots, as `_order`
        self._order: list[int] = []
        self._mean_seconds: float | None = None  # None: to be found anew
        self._units = _units(bench)

    @property
    def cells(self) -> int:
        """Number of cells of a trial that climbs the whole ladder."""
        return len(self._bench.cells)

    def add_trial(self, slot: Slot, number: int, configuration: Configuration, *, mine: bool) -> Trial:
        """Take a trial into the picture, in place of an earlier one of that slot."""
        self.drop(slot.slot)
        identity = configuration.identity
        keys = tuple(self._bench.key("search", identity, c.fold, c.seed) for c in self._bench.cells)
        trial = Trial(slot, number, configuration, keys, mine)
        self.trials[slot.slot] = trial
        self.states[slot.state] += 1
        self.failures += slot.attempt
        if trial.open:
            self._open[slot.slot] = trial
            self._bench.stacks(configuration)  # counted now, while workers train, and not when one is free
        for key in keys:
            self._needed.setdefault(key, []).append(slot.slot)
        place = bisect_left(self._order, slot.slot)
        self._order.insert(place, slot.slot)
        self._climbs.insert(place, self._climb(trial))
        self._costs_change(place)
        return trial

    def drop(self, slot: int) -> None:
        """Forget the trial of a slot, if there is one."""
        trial = self.trials.pop(slot, None)
        if trial is None:
            return
        self.states[trial.slot.state] -= 1
        self.failures -= trial.slot.attempt
        self._open.pop(slot, None)
        for key in trial.keys:
            self._needed[key].remove(slot)
        place = bisect_left(self._order, slot)
        self._costs_change(place)
        del self._order[place], self._climbs[place]

    def change(self, trial: Trial, slot: Slot) -> None:
        """Note that a trial's slot has changed."""
        self.states[trial.slot.state] -= 1
        self.states[slot.state] += 1
        trial.slot = slot
        if not trial.open:
            self._open.pop(slot.slot, None)
        self._refresh(slot.slot)

    def open_trials(self) -> list[Trial]:
        """Trials this driver has still to decide on, in the order of their slots."""
        return [trial for _, trial in sorted(self._open.items())]

    def farthest(self) -> Trial | None:
        """The own open trial with the most cells, among equals the best, among these the first."""

        def come(trial: Trial) -> tuple[int, float, int]:
            climb = self.climb(trial)
            return len(climb.scores), climb.mean() if climb.scores else 0.0, -trial.slot.slot

        return max(self._open.values(), key=come, default=None)

    def stack_key(self, trial: Trial) -> str:
        """Trials of one key can be trained as one stack."""
        from spectrosim_search.learning.components import stack_key

        configuration = trial.configuration
        return stack_key(configuration, configuration.preprocessing.channels(len(self._bench.spectra.axis)))

    def unit(self, trial: Trial, cell: int) -> tuple[int, ...]:
        """Cells that are trained together with a cell, itself among them; all of them, even where some are known."""
        return self._units[cell] if self._bench.stacks(trial.configuration) else (cell,)

    def cut(self, trial: Trial) -> bool:
        """Whether the next unit of a trial has ended in part; judged before its rest is there, a trial would depend on
        when the records of a stack come, and on whether the driver died between two of them."""
        first = next((c for c, key in enumerate(trial.keys) if not self._scored(key)), len(trial.keys))
        if first >= trial.slot.granted:
            return False
        known = [trial.keys[cell] in self.results for cell in self._units[first]]
        return any(known) and not all(known) and self._bench.stacks(trial.configuration)

    def _scored(self, key: str) -> bool:
        result = self.results.get(key)
        return result is not None and result.status == "finished" and not math.isnan(result.score)

    def add_result(self, record: ReplicateRecord, epochs: int) -> None:
        """Take a stored replicate into the picture; `epochs` is the length of its schedule."""
        if record.phase != "search" or record.key in self.results:
            return
        self.results[record.key] = _Result(record.score, record.status, record.reason, record.total_seconds)
        self._seconds += record.total_seconds
        ended_by_itself = record.status == "finished" or (record.status == "stopped" and record.reason != CANCELLED)
        if ended_by_itself and len(record.curve) > 1:
            self._curves.setdefault(record.cell, Curves()).add(record.curve, epochs)
        for slot in self._needed.get(record.key, ()):
            self._refresh(slot)

    def climb(self, trial: Trial) -> Climb:
        """How far a trial of the field has come."""
        return self._climbs[bisect_left(self._order, trial.slot.slot)]

    def climbs(self) -> Sequence[Climb]:
        """All trials, in the order of their slots."""
        return self._climbs

    def _refresh(self, slot: int) -> None:
        place = bisect_left(self._order, slot)
        self._climbs[place] = self._climb(self.trials[slot])
        self._costs_change(place)

    def _climb(self, trial: Trial) -> Climb:
        scores: list[float] = []
        for key in trial.keys:
            result = self.results.get(key)
            if result is None or math.isnan(result.score):
                break
            scores.append(result.score)
            if result.status != "finished":
                break
        left = not trial.mine and trial.slot.state == "running" and trial.slot.slot >= self._bench.study.budget.trials
        return Climb(tuple(scores), trial.slot.granted, self._broken(trial), left)

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

    def waiting(self, busy: Collection[str]) -> list[tuple[Trial, int]]:
        """(trial, cell) that may be trained now and is not: the highest rung first, then by slot and cell."""
        found: list[tuple[int, int, int]] = []
        named = set(busy)
        for slot, trial in sorted(self._open.items()):
            for cell, key in enumerate(trial.keys[: trial.slot.granted]):
                if key not in self.results and key not in named:
                    named.add(key)
                    found.append((-trial.slot.granted, slot, cell))
        return [(self.trials[slot], cell) for _, slot, cell in sorted(found)]

    def fresh(self, busy: Collection[str]) -> int:
        """Own trials of which no cell has been started."""
        return sum(not any(key in self.results or key in busy for key in trial.keys) for trial in self._open.values())

    def reference(self, cell: int, epochs: int) -> NDArray[np.float32] | None:
        """What a replicate of a cell is stopped by."""
        return self._curves[cell].reference(epochs) if cell in self._curves else None

    def mean_seconds(self) -> float:
        """Mean cost of a replicate of what a confirmation would take now; NaN before the first.

        These are the best trials with all cells, as many as it confirms; before there is one, all replicates. (A
        search that begins with fits of milliseconds would else keep seconds for networks that need minutes.)
        """
        finished = [p for p, c in enumerate(self._climbs) if self._whole(c)] if self._mean_seconds is None else []
        if finished:
            asked = self._bench.study.confirmation
            finished.sort(key=lambda p: (-self._climbs[p].mean(), p))
            best = finished[: max(1, asked.finalists, asked.committee)]
            keys = [key for place in best for key in self.trials[self._order[place]].keys]
            self._mean_seconds = sum(self.results[key].seconds for key in keys) / len(keys)
        if self._mean_seconds is not None:
            return self._mean_seconds
        return self._seconds / len(self.results) if self.results else float("nan")

    def _whole(self, climb: Climb) -> bool:
        return len(climb.scores) == self.cells and not climb.broken

    def _costs_change(self, place: int) -> None:
        """Note that the climb at a place has changed, or is about to go."""
        if self._whole(self._climbs[place]):
            self._mean_seconds = None

    def best(self) -> tuple[int | None, float, float]:
        """(number, mean, standard error over cells) of the best among the trials with the most cells.

        Trials with fewer cells are left out: the best of many single cells is luck.
        """
        n = max((len(c.scores) for c in self._climbs if not c.broken), default=0)
        if n == 0:
            return None, float("nan"), float("nan")
        level = [place for place, c in enumerate(self._climbs) if len(c.scores) == n and not c.broken]
        place = max(level, key=lambda p: self._climbs[p].means[-1])
        climb = self._climbs[place]
        error = float(np.std(climb.scores, ddof=1)) / math.sqrt(n) if n > 1 else float("nan")
        return self.trials[self._order[place]].number, climb.mean(), error


def _units(bench: Bench) -> tuple[tuple[int, ...], ...]:
    """By cell: the cells of its seed that the ladder grants in the same step."""
    steps = rungs(bench.study.ladder, len(bench.cells))
    units: dict[tuple[int, int], list[int]] = {}
    for place, cell in enumerate(bench.cells):
        units.setdefault((bisect_left(steps, place + 1), cell.seed), []).append(place)
    by_cell = {place: tuple(unit) for unit in units.values() for place in unit}
    return tuple(by_cell[place] for place in range(len(bench.cells)))
