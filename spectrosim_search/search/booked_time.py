"""Wall time that counts towards a study's budget, booked while it passes."""

from __future__ import annotations

import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Literal

from spectrosim_search.config.errors import SpectroSimError
from spectrosim_search.search.ticking import Ticking

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
        self._booked = 0.0
        self._ticking = Ticking("booked-time", every, self._tick)

    def __enter__(self) -> BookedTime:
        self._booked = time.monotonic()
        self._ticking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticking.stop()
        self._book()

    def _tick(self) -> bool:
        with suppress(SpectroSimError):  # a database that is away for a moment: booked with the next
            self._book()
        return True

    def _book(self) -> None:
        now = time.monotonic()
        self._store.add_seconds(self._name, self._phase, now - self._booked)
        self._booked = now
