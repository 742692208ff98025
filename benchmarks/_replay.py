"""Methods of search replayed on a recorded table: what each spends until it holds what a plain study ends with.

A method draws configurations one after the other, without replacement within a repetition (one that runs out has not
reached its target), and spends the epochs that were recorded. All methods of a repetition draw in the same order, or
from a TPE of the same seed. What a method holds is the best configuration that has all its cells; its worth is the mean
over these cells, the same for every method.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import optuna

from benchmarks._table import Recorded, Table
from spectrosim_search.config.study import Ladder
from spectrosim_search.search.ladder import Climb, incumbent, judge, rungs
from spectrosim_search.search.ladder_curves import Curves

__all__ = ["Draw", "Method", "Permutation", "Trace", "climb", "halving", "hyperband", "plain", "pruner", "variants"]

_SAME = 1e-12  # worths that differ by rounding only


class Draw(Protocol):
    """Where a method gets its next configuration."""

    def next(self) -> int | None:
        """Place in the table of the next configuration; None where all were drawn."""

    def tell(self, place: int, scores: list[float], *, complete: bool) -> None:
        """What became of a configuration: scores of its first cells."""


@dataclass
class Trace:
    """What a method had spent (replicate-epochs) and held (worth) whenever it held something better."""

    table: Table
    target: float = math.inf  # a method may end where it holds something worth this
    spent: int = 0
    trials: int = 0
    steps: list[tuple[int, float]] = field(default_factory=list)

    def hold(self, place: int) -> None:
        """Note that the best configuration is now the one at this place."""
        worth = self.table.entries[place].score
        if not self.steps or self.steps[-1][1] != worth:
            self.steps.append((self.spent, worth))

    @property
    def reached(self) -> bool:
        """Whether something worth the target is held."""
        return bool(self.steps) and self.steps[-1][1] >= self.target - _SAME

    def until(self, target: float) -> float:
        """Replicate-epochs until what is held is worth `target`; infinity where that was never so."""
        return next((float(spent) for spent, worth in self.steps if worth >= target - _SAME), math.inf)


class Method(Protocol):
    """A way to search: draws at most `trials` configurations, ends early where it holds one worth `target`."""

    def __call__(self, table: Table, draw: Draw, trials: int, target: float = ..., /) -> Trace:
        """What was spent and held."""


@dataclass
class Permutation:
    """The table in random order: the sampler `random` without replacement."""

    order: list[int]
    _at: int = 0

    @classmethod
    def seeded(cls, size: int, seed: int) -> Permutation:
        """The order of one repetition."""
        return cls(np.random.default_rng([seed, 17]).permutation(size).tolist())

    def next(self) -> int | None:
        """See :class:`Draw`."""
        self._at += 1
        return self.order[self._at - 1] if self._at <= len(self.order) else None

    def tell(self, place: int, scores: list[float], *, complete: bool) -> None:
        """Random draws learn nothing."""


def _places(draw: Draw, trials: int) -> Iterator[int]:
    for _ in range(trials):
        place = draw.next()
        if place is None:
            return
        yield place


def plain(table: Table, draw: Draw, trials: int, target: float = math.inf) -> Trace:
    """Every trial on all cells."""
    trace, best = Trace(table, target), -math.inf
    for place in _places(draw, trials):
        if trace.reached:
            break
        entry = table.entries[place]
        trace.spent += sum(cell.epochs for cell in entry.cells)
        trace.trials += 1
        draw.tell(place, [c.score for c in entry.cells], complete=True)
        if entry.score > best:
            best = entry.score
            trace.hold(place)
    return trace


@dataclass
class _Trial:
    place: int
    granted: int
    scores: list[float] = field(default_factory=list)
    broken: str = ""
    open: bool = True

    def climb(self) -> Climb:
        return Climb(tuple(self.scores), self.granted, self.broken)


def climb(ladder: Ladder, *, hold: bool = True) -> Method:
    """The ladder itself, one worker: settle, then the deepest waiting cell, else the next configuration.

    Without `hold` the first trials go on unranked.
    """

    def run(table: Table, draw: Draw, trials: int, target: float = math.inf) -> Trace:
        trace = Trace(table, target)
        curves = [Curves() for _ in range(table.cells)]
        field_: list[_Trial] = []
        climbs: list[Climb] = []
        first = rungs(ladder, table.cells)[0]
        total = min(trials, len(table.entries))
        while True:
            more = hold and len(field_) < total
            for slot, trial in enumerate(field_):
                while trial.open:
                    step = judge(climbs[slot], climbs, ladder, table.cells, more=more)
                    if step.action == "wait":
                        break
                    if step.action == "go on":
                        trial.granted = step.granted
                        climbs[slot] = trial.climb()
                        continue
                    trial.open = False
                    draw.tell(trial.place, trial.scores, complete=step.action == "complete")
                    best = incumbent(climbs, table.cells)
                    if best is not None:
                        trace.hold(field_[climbs.index(best)].place)
            if trace.reached:
                return trace
            waiting = [(-t.granted, i) for i, t in enumerate(field_) if t.open and len(t.scores) < t.granted]
            if waiting:
                slot = min(waiting)[1]
            else:
                place = draw.next() if len(field_) < trials else None
                if place is None:
                    return trace
                slot = len(field_)
                field_.append(_Trial(place, first))
                climbs.append(field_[-1].climb())
                trace.trials += 1
            trial = field_[slot]
            cell = len(trial.scores)
            recorded = table.entries[trial.place].cells[cell]
            score, epochs, reason = _trained(recorded, curves[cell] if ladder.curves else None)
            trace.spent += epochs
            trial.scores.append(score)
            trial.broken = reason
            climbs[slot] = trial.climb()
            curves[cell].add(np.repeat(recorded.curve[: epochs + 1, None], 2, axis=1), recorded.schedule)

    return run


def _trained(recorded: Recorded, curves: Curves | None) -> tuple[float, int, str]:
    """Score, epochs and reason to stop of a replicate under the reference its cell has now."""
    if recorded.status != "finished":
        return recorded.score, recorded.epochs, recorded.status
    floor = curves.reference(recorded.schedule) if curves is not None else None
    if floor is not None:
        best = np.maximum.accumulate(recorded.curve)[1 : recorded.epochs]
        below = np.flatnonzero(best < floor[: len(best)])
        if len(below):
            epoch = int(below[0]) + 1
            return float(recorded.curve[epoch]), epoch, "below the curves"
    return recorded.score, recorded.epochs, ""


def halving(eta: int = 3, first: int = 1) -> Method:
    """Synchronous successive halving (Jamieson and Talwalkar 2016) over cells, bracket after bracket.

    A bracket starts as many configurations at `first` cells as leave one at all cells; one of `eta` passes each level.
    """
    return hyperband(eta, firsts=(first,))


def hyperband(eta: int = 3, firsts: tuple[int, ...] = ()) -> Method:
    """Hyperband (Li et al. 2018) over cells: brackets that start at 1, `eta`, … cells in turn, again and again."""

    def run(table: Table, draw: Draw, trials: int, target: float = math.inf) -> Trace:
        trace, best, left = Trace(table, target), -math.inf, trials
        deepest = int(math.log(table.cells, eta) + 1e-9)
        starts = firsts or tuple(eta**i for i in range(deepest + 1))
        while True:
            for start in starts:
                levels = [*(start * eta**i for i in range(deepest + 1) if start * eta**i < table.cells), table.cells]
                # the same budget for every bracket: fewer configurations where they start deeper
                size = max(1, math.ceil((deepest + 1) / len(levels) * eta ** (len(levels) - 1)))
                alive = list(_places(draw, min(size, left)))
                left -= len(alive)
                trace.trials += len(alive)
                if not alive or trace.reached:
                    return trace
                before = 0
                for level in levels:
                    for place in alive:
                        trace.spent += sum(c.epochs for c in table.entries[place].cells[before:level])
                        if level == table.cells and table.entries[place].score > best:
                            best = table.entries[place].score
                            trace.hold(place)
                    scores = {p: [c.score for c in table.entries[p].cells[:level]] for p in alive}
                    ranked = sorted(alive, key=lambda p: -float(np.mean(scores[p])))
                    kept = ranked if level == table.cells else ranked[: max(1, len(alive) // eta)]
                    for place in alive:
                        if level == table.cells or place not in kept:
                            draw.tell(place, scores[place], complete=level == table.cells)
                    alive, before = kept, level

    return run


def pruner(make: Callable[[int], optuna.pruners.BasePruner], *, each: bool = False) -> Method:
    """One of Optuna's pruners, asked after each cell by a real Optuna trial.

    `make` gets the number of cells. Reported is the running mean over the finished cells, or with `each` the cell's own
    score (what WilcoxonPruner asks for).
    """

    def run(table: Table, draw: Draw, trials: int, target: float = math.inf) -> Trace:
        trace, best = Trace(table, target), -math.inf
        study = optuna.create_study(
            study_name="replay",  # HyperbandPruner deals brackets by it
            direction="maximize",
            sampler=optuna.samplers.RandomSampler(seed=0),
            pruner=make(table.cells),
        )
        for place in _places(draw, trials):
            if trace.reached:
                break
            trace.trials += 1
            trial = study.ask()
            scores: list[float] = []
            stopped = False
            for step, cell in enumerate(table.entries[place].cells, start=1):
                trace.spent += cell.epochs
                scores.append(cell.score)
                trial.report(cell.score if each else float(np.mean(scores)), step)
                if step < table.cells and trial.should_prune():
                    stopped = True
                    break
            draw.tell(place, scores, complete=not stopped)
            if stopped:
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                continue
            study.tell(trial, float(np.mean(scores)))
            if table.entries[place].score > best:
                best = table.entries[place].score
                trace.hold(place)
        return trace

    return run


def variants(base: Ladder) -> dict[str, Ladder]:
    """Ladders beside the default one, to see what each of its parts brings."""
    return {
        "ladder, no curves": replace(base, curves=False),
        "ladder, keep 1/4": replace(base, keep=0.25),
        "ladder, keep 1/2": replace(base, keep=0.5),
        "ladder, rungs 1": replace(base, rungs=(1,)),
        "ladder, rungs 1 2 4": replace(base, rungs=(1, 2, 4)),
        "ladder, rungs 2 6": replace(base, rungs=(2, 6)),
        "ladder, minimum 4": replace(base, minimum=4),
    }
