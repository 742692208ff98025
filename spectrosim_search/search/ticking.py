"""Doing something again and again from a thread, as long as a block of code lasts."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Ticking"]


class Ticking:
    """Calls `tick` every `seconds` between :meth:`start` and :meth:`stop`, until it returns False."""

    def __init__(self, name: str, seconds: float, tick: Callable[[], bool]) -> None:
        self._seconds = seconds
        self._tick = tick
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first call comes after the first `seconds`."""
        self._thread.start()

    def stop(self) -> None:
        """End; a call under way is waited for."""
        self._done.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._done.wait(self._seconds):
            if not self._tick():
                return
