"""Keeping a driver's lease alive from a thread, whatever the driver is busy with."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING

from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.search import store_leases
from spectrosim_search.search.store_leases import Identity
from spectrosim_search.search.ticking import Ticking

if TYPE_CHECKING:
    from spectrosim_search.search.store import Store

__all__ = ["LEASE_SECONDS", "LeaseKeeper", "refuse_busy"]

LEASE_SECONDS = 60.0


def refuse_busy(store: Store, name: str) -> None:
    """Raise InputError where another driver is at work on a study in a file; on a server several may be.

    To be asked before anything of the study is written, which may not be there yet.
    """
    busy = () if store.shared or not store.holds(name) else store_leases.live(store.engine, store.study_id(name))
    if busy:
        raise InputError(
            f"study '{name}' is being worked on by process {busy[0].process.split(':')[0]} on "
            f"{busy[0].host.split(' ')[0]}; wait for it, or use PostgreSQL to let several work together"
        )


class LeaseKeeper:
    """Holds one driver's lease on one study for the length of a `with` block.

    Renewed every quarter of its length. Once it is lost (the machine slept, the database was away for longer than the
    lease, and another driver took the trials over), :meth:`check` raises RunError and the driver must stop.
    """

    def __init__(self, engine: Engine, study_id: int, *, seconds: float = LEASE_SECONDS) -> None:
        self.identity = Identity.mine()
        self._engine = engine
        self._study_id = study_id
        self._seconds = seconds
        self._lost = threading.Event()
        self._renewed = 0.0
        self._ticking = Ticking("lease", seconds / 4, self._renew)

    @property
    def driver(self) -> str:
        """Name of the driver that holds this lease."""
        return self.identity.driver

    def __enter__(self) -> LeaseKeeper:
        store_leases.take(self._engine, self._study_id, self.identity, self._seconds)
        self._renewed = time.monotonic()
        self._ticking.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticking.stop()
        if not self._lost.is_set():
            store_leases.drop(self._engine, self._study_id, self.driver)

    def check(self) -> None:
        """Raise RunError once the lease is lost."""
        if self._lost.is_set():
            raise RunError(
                "another driver has taken this study's trials over, since this one did not answer for "
                f"{self._seconds:.0f} s; nothing finished is lost, run again to join in"
            )

    def _renew(self) -> bool:
        try:
            if store_leases.renew(self._engine, self._study_id, self.driver, self._seconds):
                self._renewed = time.monotonic()
            else:
                self._lost.set()
        except OperationalError:
            # A database that is away for a moment is no reason to stop; one away for a whole lease is.
            if time.monotonic() - self._renewed > self._seconds:
                self._lost.set()
        return not self._lost.is_set()
