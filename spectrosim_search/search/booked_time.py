"""Wall time that counts towards a study's budget, booked while it passes."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from spectrosim_search.config.errors import SpectroSimError

if TYPE_CHECKING:
    from spectrosim_search.search.store import Store

__all__ = ["BOOKED_EVERY", "BookedTime"]

BOOKED_EVERY = 15.0


class BookedTime:
    """Books the seconds of a `with` block to a phase of a study: every `every` seconds, and the rest at its end.

    So a session that is killed has used all but the last of its time.
    """

    def __init__(
        self, store: Store, name: str, phase: Literal["search", "confirmation"], *, every: float = BOOKED_EVERY
    ) -> None:
        self._store = store
        self._name = name
        self._phase: Literal["search", "confirmation"] = phase
        self._every = every
        self._done = threading.Event()
        self._booked = 0.0
        self._thread = threading.Thread(target=self._keep, name="booked-time", daemon=True)

    def __enter__(self) -> BookedTime:
        self._booked = time.monotonic()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()
        self._book()

    def _keep(self) -> None:
        while not self._done.wait(self._every):
            try:
                self._book()
            except SpectroSimError:  # a database that is away for a moment: booked with the next
                continue

    def _book(self) -> None:
        now = time.monotonic()
        self._store.add_seconds(self._name, self._phase, now - self._booked)
        self._booked = now
