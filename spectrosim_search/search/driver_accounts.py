"""What a search has used and how fast it goes."""

from __future__ import annotations

import time
from dataclasses import dataclass

from spectrosim_search.search.budget import Allowance, Usage
from spectrosim_search.search.driver_field import Field
from spectrosim_search.search.progress import SearchProgress

__all__ = ["Accounts", "SearchOutcome"]


@dataclass(frozen=True)
class SearchOutcome:
    """How a search ended: all trials done (`reason` empty), or why it stopped before."""

    complete: int
    pruned: int
    failed: int
    replicates: int
    seconds: float
    busy: float  # share of the workers' time, NaN where nothing was trained
    reason: str


class Accounts:
    """Counts a driver's work. `spent`: seconds of earlier sessions; `others`: replicates of other phases."""

    def __init__(
        self, field: Field, allowance: Allowance, *, asked: int, workers: int, spent: float, others: int
    ) -> None:
        self._field = field
        self._allowance = allowance
        self._asked = asked
        self._workers = workers
        self._spent = spent
        self._others = others
        self._begun = time.monotonic()
        self._first: float | None = None
        self._seconds = 0.0
        self._done = 0

    def submitted(self) -> None:
        """Note a submission: the workers' time counts from the first one on."""
        if self._first is None:
            self._first = time.monotonic()

    def worked(self, seconds: float) -> None:
        """Note a replicate and what it took."""
        self._seconds += seconds
        self._done += 1

    def usage(self, busy: int) -> Usage:
        """What is used up, with `busy` replicates under way."""
        states = self._field.states
        return Usage(
            seconds=self._spent + time.monotonic() - self._begun,
            replicates=len(self._field.results) + self._others + busy,
            complete=states["complete"],
            pruned=states["pruned"],
            mean_replicate_seconds=self._field.mean_seconds(),
            workers=self._workers,
        )

    def progress(self, busy: int) -> SearchProgress:
        """Where the search stands."""
        usage = self.usage(busy)
        done = usage.complete + usage.pruned
        elapsed = time.monotonic() - self._begun
        pace = self._done / elapsed if elapsed > 0 else 0.0
        number, value, error = self._field.best()
        per_trial = len(self._field.results) / done if done else float("nan")
        left = (self._asked - done) * per_trial / pace if pace > 0 else float("nan")
        return SearchProgress(
            asked=self._asked,
            complete=usage.complete,
            pruned=usage.pruned,
            failed=self._field.failures,
            running=self._field.states["running"],
            replicates=len(self._field.results),
            best_number=number,
            best_value=value,
            best_standard_error=error,
            replicates_per_minute=60 * pace,
            elapsed_seconds=elapsed,
            remaining_seconds=min(left, self._allowance.remaining_seconds(usage)),
            busy=self._busy_share(),
        )

    def outcome(self, reason: str) -> SearchOutcome:
        """How it ended, with nothing under way."""
        last = self.progress(0)
        return SearchOutcome(
            complete=last.complete,
            pruned=last.pruned,
            failed=last.failed,
            replicates=last.replicates,
            seconds=last.elapsed_seconds,
            busy=last.busy,
            reason=reason,
        )

    def _busy_share(self) -> float:
        if self._first is None:
            return float("nan")
        return self._seconds / max(1e-9, (time.monotonic() - self._first) * self._workers)
