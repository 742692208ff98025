"""No workers at all: replicates are trained in the driver's own process, one after the other (``--workers 0``)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Sequence

from spectrosim_search.config.study import Study
from spectrosim_search.search.workers.pool import Fitted, PoolEvent, Work
from spectrosim_search.search.workers.trainer import Trainer
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["InProcessPool"]


class InProcessPool:
    """A pool of one that trains inside :meth:`events`."""

    slots = 1
    capacity = 1

    def __init__(self, spectra: SpectraSet, study: Study, *, device: str = "cpu") -> None:
        self._deadline = float("inf")
        self._trainer = Trainer(spectra, study, worker="main", device=device, abandon=self._late)
        self._waiting: deque[tuple[Work, ...]] = deque()

    @property
    def free(self) -> int:
        """One while nothing waits."""
        return 0 if self._waiting else 1

    def submit(self, items: Sequence[Work]) -> None:
        """Put one stack aside for the next call of :meth:`events`."""
        self._waiting.append(tuple(items))

    def events(self, timeout: float) -> list[PoolEvent]:
        """Train what was submitted; `timeout` has no say here."""
        del timeout
        if not self._waiting:
            return []
        items = self._waiting.popleft()
        done: list[PoolEvent] = list(self._trainer.train(items))
        # An abandoned replicate is cut short for no reason of its own: it must not count, and is trained again.
        # The fit of a baseline is never cut short.
        return [event for event in done if isinstance(event, Fitted)] if self._late() else done

    def stop(self, keys: Collection[str]) -> None:
        """Ask running replicates to end; in one process none runs while this is called."""
        self._trainer.stop(keys)

    def hurry(self, seconds: float) -> None:
        """Abandon a replicate that has not ended by then."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def close(self) -> None:
        """Forget what waits."""
        self._waiting.clear()

    def _late(self) -> bool:
        return time.monotonic() > self._deadline
