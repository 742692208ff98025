"""What every pool of workers can do, and what it reports.

A pool has `slots` workers. Work is handed over with :meth:`Pool.submit` while :attr:`Pool.free` is above zero and comes
back through :meth:`Pool.events`, one event for each item, in the order in which they end. A pool replaces workers
that die; whoever drives it decides what becomes of their replicates.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from spectrosim_search.search.baseline_items import BaselineItem
from spectrosim_search.search.records import BaselineFit, EnvironmentRecord, ReplicateRecord
from spectrosim_search.search.work_item import WorkItem

__all__ = ["CANCELLED", "Finished", "Fitted", "Pool", "PoolEvent", "Work", "WorkerDied"]

Work = WorkItem | BaselineItem

CANCELLED = "its trial ended before it"  # reason of a replicate that was stopped from outside


@dataclass(frozen=True)
class Finished:
    """A replicate ended: finished, stopped, diverged or failed, as its record says."""

    record: ReplicateRecord
    environment: EnvironmentRecord

    def by(self, worker: str) -> Finished:
        """The same under the name the pool knows its worker by."""
        return replace(self, record=replace(self.record, worker=worker))


@dataclass(frozen=True)
class Fitted:
    """A baseline was fitted and scored, or could not be, as its record says."""

    record: BaselineFit
    environment: EnvironmentRecord

    def by(self, worker: str) -> Fitted:
        """The same under the name the pool knows its worker by."""
        return replace(self, record=replace(self.record, worker=worker))


@dataclass(frozen=True)
class WorkerDied:
    """A worker is gone; `keys` are the replicates it had not delivered."""

    worker: str
    reason: str
    keys: tuple[str, ...]


PoolEvent = Finished | Fitted | WorkerDied


class Pool(Protocol):
    """Workers that train replicates and fit baselines."""

    @property
    def slots(self) -> int:
        """Workers that can train at the same time."""

    @property
    def capacity(self) -> int:
        """Replicates one worker trains together in a stack where more than a unit of one trial fills its device."""

    @property
    def free(self) -> int:
        """Workers that would start at once on what is submitted now."""

    def submit(self, items: Sequence[Work]) -> None:
        """Hand one stack (a unit, or at most `capacity` replicates), or fits of baselines, to a free worker."""

    def events(self, timeout: float) -> list[PoolEvent]:
        """What happened; waits up to `timeout` seconds for the first event."""

    def stop(self, keys: Collection[str]) -> None:
        """Ask running replicates to end at their next epoch; they are still reported."""

    def hurry(self, seconds: float) -> None:
        """Training that takes longer than this from now on may be abandoned."""

    def close(self) -> None:
        """End all workers and free what they hold."""
