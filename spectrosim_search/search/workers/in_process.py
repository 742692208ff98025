"""No workers at all: replicates are trained in the driver's own process, one after the other (``--workers 0``)."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Collection, Iterator, Sequence

from spectrosim_search.config.study import Study
from spectrosim_search.search.workers.pool import Finished, Fitted, PoolEvent, Work
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
        self._ending: Iterator[Finished | Fitted] = iter(())  # records of what is being done, as they come
        self._left = 0  # of them

    @property
    def free(self) -> int:
        """One while there is nothing to do."""
        return 0 if self._waiting or self._left else 1

    def submit(self, items: Sequence[Work]) -> None:
        """Put one stack aside for the next call of :meth:`events`."""
        self._waiting.append(tuple(items))

    def events(self, timeout: float) -> list[PoolEvent]:
        """Train what was submitted until something ends; `timeout` has no say here."""
        del timeout
        if not self._left:
            if not self._waiting:
                return []
            items = self._waiting.popleft()
            self._ending, self._left = self._trainer.train(items), len(items)
        ended = next(self._ending, None)
        if ended is None:  # fewer came than were asked for; whoever asked finds them missing
            self._left = 0
            return []
        self._left -= 1
        # An abandoned replicate is cut short for no reason of its own: it must not count, and is trained again.
        # The fit of a baseline is never cut short.
        return [] if self._late() and not isinstance(ended, Fitted) else [ended]

    def stop(self, keys: Collection[str]) -> None:
        """Ask running replicates to end; in one process none runs while this is called."""
        self._trainer.stop(keys)

    def hurry(self, seconds: float) -> None:
        """Abandon a replicate that has not ended by then."""
        self._deadline = min(self._deadline, time.monotonic() + seconds)

    def close(self) -> None:
        """Forget what waits."""
        self._ending, self._left = iter(()), 0
        self._waiting.clear()

    def _late(self) -> bool:
        return time.monotonic() > self._deadline
