"""What a search tells while it runs: small frozen events for whoever shows them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from spectrosim_search.search.records import ReplicateRecord

__all__ = [
    "BaselineDone",
    "Event",
    "Listener",
    "ReplicateDone",
    "SearchProgress",
    "TrialEnded",
    "TrialRung",
    "TrialStarted",
    "WorkerLost",
    "silent",
]


@dataclass(frozen=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True)
class TrialStarted(Event):
    """A trial was asked for, or taken up again (`resumed`)."""

    number: int
    configuration_id: str
    resumed: bool


@dataclass(frozen=True)
class TrialRung(Event):
    """A trial passed a rung and may train up to `granted` cells."""

    number: int
    mean: float
    cells: int
    granted: int


@dataclass(frozen=True)
class TrialEnded(Event):
    """A trial is over; `state` is COMPLETE, PRUNED or FAIL."""

    number: int
    state: str
    value: float | None
    cells: int
    reason: str


@dataclass(frozen=True)
class ReplicateDone(Event):
    """One replicate was stored."""

    key: str
    phase: str
    trial_number: int | None
    cell: int
    status: str
    score: float
    worker: str
    seconds: float

    @classmethod
    def of(cls, record: ReplicateRecord) -> ReplicateDone:
        """What is told of a stored record."""
        return cls(
            record.key,
            record.phase,
            record.trial_number,
            record.cell,
            record.status,
            record.score,
            record.worker,
            record.total_seconds,
        )


@dataclass(frozen=True)
class BaselineDone(Event):
    """One fit of a baseline was stored; `done` of `total` are. `remaining_seconds`: NaN before the first."""

    baseline: str
    fold: int
    seed: int
    status: str
    seconds: float
    done: int
    total: int
    remaining_seconds: float


@dataclass(frozen=True)
class WorkerLost(Event):
    """A worker died; a new one takes its place and its replicates are trained again."""

    worker: str
    reason: str
    replicates: int


@dataclass(frozen=True)
class SearchProgress(Event):
    """Where the search stands.

    `best_standard_error` is over cells: how well the mean is known, not how well it carries over to new groups.
    `remaining_seconds` is NaN until it can be estimated. `busy` is the share of the workers' time since the first
    submission that was spent on replicates.
    """

    asked: int
    complete: int
    pruned: int
    failed: int
    running: int
    replicates: int
    best_number: int | None
    best_value: float
    best_standard_error: float
    replicates_per_minute: float
    elapsed_seconds: float
    remaining_seconds: float
    busy: float


Listener = Callable[[Event], None]


def silent(event: Event) -> None:
    """A listener that shows nothing."""
    del event
