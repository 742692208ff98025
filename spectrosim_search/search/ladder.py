"""The ladder: how a trial earns cells, and when it has had enough of them (DESIGN §7). Pure functions.

A trial is judged on its cells in their fixed order, so two trials that have n cells have the same n cells and can be
compared pair by pair. Rungs below the last are judged by rank among all trials that reached them (as in asynchronous
successive halving, Li et al. 2020, arXiv:1810.05934, with stopping in place of promotion); from the last rung on, a
trial goes on unless a paired one-sided t test calls it worse than the incumbent. The test is repeated as cells come
in, so its level is that of one look; it prunes, it proves nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Literal

import numpy as np

from spectrosim_search.config.study import Ladder

__all__ = ["Climb", "Step", "incumbent", "judge", "paired_p_value", "rungs"]

FEWEST = 3  # pairs needed for the t test


@dataclass(frozen=True)
class Climb:
    """What is known of one trial: scores of its first cells in order, and why it cannot go on, if it cannot.

    `broken` is the reason why a replicate was stopped or diverged (its score is the last of `scores`); `left`: whether
    it was begun and is no longer asked for, so that nobody may ever train its next cell.
    """

    scores: tuple[float, ...]
    granted: int
    broken: str = ""
    left: bool = False

    @cached_property
    def means(self) -> tuple[float, ...]:
        """Mean score over the first cell, the first two and so on."""
        return tuple(total / n for n, total in enumerate(accumulate(self.scores), start=1))

    def mean(self, cells: int | None = None) -> float:
        """Mean score over the first `cells` cells; NaN without any."""
        return self.means[: cells or None][-1] if self.scores else math.nan


@dataclass(frozen=True)
class Step:
    """What happens to a trial next. `granted`: cells it may have trained from now on."""

    action: Literal["wait", "go on", "prune", "complete"]
    granted: int
    reason: str = ""


def rungs(ladder: Ladder, cells: int) -> tuple[int, ...]:
    """Numbers of cells at which a trial is judged, rising; the last one is all `cells`."""
    return (*sorted({r for r in ladder.rungs if 0 < r < cells}), cells)


def judge(trial: Climb, field: Sequence[Climb], ladder: Ladder, cells: int, *, more: bool = False) -> Step:
    """Decide on one trial, given all trials of the study (`field`, itself among them).

    `more`: whether trials are still to be asked for. The first trials wait at the first rung until there are enough to
    rank, as long as others can get there: sent on unranked, they would cost as much as dozens of later ones. Deeper
    rungs hold nobody back, so that a short search has a finished trial too.

    The decision depends on its arguments alone. A trial that was granted more cells than it has finished waits,
    except beyond the last rung, where every further cell is a reason to test again.
    """
    n = len(trial.scores)
    if trial.broken:
        return Step("prune", trial.granted, trial.broken)
    if n >= cells:
        return Step("complete", cells)
    steps = rungs(ladder, cells)
    last = max((r for r in ladder.rungs if 0 < r < cells), default=cells)
    if n >= last:
        best = incumbent(field, cells)
        if best is not None:
            p = paired_p_value(best.scores[:n], trial.scores)
            if p < ladder.p_value:
                difference = best.mean(n) - trial.mean(n)
                return Step(
                    "prune", trial.granted, f"worse than the best trial by {difference:.3f} on {n} cells (p = {p:.3f})"
                )
        return Step("wait" if trial.granted >= cells else "go on", cells)
    if n < trial.granted:
        return Step("wait", trial.granted)
    rung = max(r for r in steps if r <= n) if n >= steps[0] else 0
    if rung:
        rank, among = _rank(trial, field, rung)
        if among < ladder.minimum and rung == steps[0]:
            coming = more or any(len(t.scores) < rung and not t.broken and not t.left for t in field)
            if coming:
                return Step("wait", trial.granted)
        if among >= ladder.minimum and rank > max(1, math.ceil(ladder.keep * among)):
            return Step("prune", trial.granted, f"rank {rank} of {among} trials after {_cells(rung)}")
    return Step("go on", next(r for r in steps if r > n))


def incumbent(field: Sequence[Climb], cells: int) -> Climb | None:
    """The best trial that finished all cells; the earliest of equals."""
    done = [t for t in field if len(t.scores) >= cells and not t.broken]
    return max(done, key=lambda t: t.mean(cells), default=None)


def _rank(trial: Climb, field: Sequence[Climb], rung: int) -> tuple[int, int]:
    """Place of a trial among those that reached a rung (1 is best, equals share the better place), and their number."""
    reached = [t.means[rung - 1] for t in field if len(t.scores) >= rung]
    own = trial.mean(rung)
    return 1 + sum(score > own for score in reached), len(reached)


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def paired_p_value(best: Sequence[float], other: Sequence[float]) -> float:
    """One-sided p value of the paired t test that `best` scores higher; 1 below three pairs."""
    difference = np.asarray(best, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    n = len(difference)
    if n < FEWEST:
        return 1.0
    mean, sd = float(difference.mean()), float(difference.std(ddof=1))
    if sd <= 1e-12:
        return 0.0 if mean > 1e-12 else 1.0
    from scipy.special import stdtr

    return float(stdtr(n - 1, -mean / (sd / math.sqrt(n))))
