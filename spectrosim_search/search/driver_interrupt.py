"""Ctrl-C: the first asks the search to end in good order, the second ends it at once."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from spectrosim_search.config.errors import RunError

__all__ = ["GRACE_SECONDS", "Interrupted", "Interruption", "interrupted"]

GRACE_SECONDS = 10.0


class Interrupted(RunError):
    """The user interrupted a run; everything finished is stored and the same command goes on. Exit code 130."""

    exit_code = 130


class Interruption:
    """Watches for SIGINT during a `with` block (in the main thread; elsewhere Python delivers none).

    `on_first` is called once, from the signal handler, with the seconds that running replicates have left.
    """

    def __init__(self, on_first: Callable[[float], None], *, grace: float = GRACE_SECONDS) -> None:
        self._on_first = on_first
        self._grace = grace
        self._at: float | None = None
        self._before: Any = None

    @property
    def requested(self) -> bool:
        """Whether the user asked the run to end."""
        return self._at is not None

    @property
    def left(self) -> float:
        """Seconds that running replicates have left."""
        return float("inf") if self._at is None else max(0.0, self._at + self._grace - time.monotonic())

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        del number, frame
        if self._at is not None:
            raise KeyboardInterrupt
        self._at = time.monotonic()
        self._on_first(self._grace)


def interrupted(name: str) -> str:
    """What a user is told after Ctrl-C."""
    return f"interrupted; everything finished is stored: the same command goes on with study '{name}'"
