"""Leases of drivers: rows that say who is at work on a study, by the database's own clock."""

from __future__ import annotations

import os
import platform
import sys
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from spectrosim_search.search.store_tables import LeaseRow

__all__ = ["Identity", "Lease", "database_now", "drop", "drop_dead", "is_dead", "live", "renew", "take"]


class database_now(FunctionElement[float]):
    """Seconds since the epoch by the database's clock, so that machines need not agree on theirs."""

    type = sa.Double()
    inherit_cache = True


@compiles(database_now, "sqlite")
def _sqlite_now(element: Any, compiler: Any, **kw: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(database_now, "postgresql")
def _postgresql_now(element: Any, compiler: Any, **kw: Any) -> str:
    return "CAST(EXTRACT(EPOCH FROM clock_timestamp()) AS DOUBLE PRECISION)"


@compiles(database_now)
def _other_now(element: Any, compiler: Any, **kw: Any) -> str:
    return "UNIX_TIMESTAMP(NOW(6))"


@dataclass(frozen=True)
class Identity:
    """Who a driver is: a random name, the machine it runs on, its process there."""

    driver: str
    host: str
    process: str

    @classmethod
    def mine(cls) -> Identity:
        """The identity of a new driver in this process."""
        return cls(uuid.uuid4().hex, _host(), f"{os.getpid()}:{_birth(os.getpid())}")


@dataclass(frozen=True)
class Lease:
    """A driver's lease as stored; `remaining` seconds by the database's clock."""

    driver: str
    host: str
    process: str
    remaining: float


def _host() -> str:
    """Names this machine since its last start, and the process namespace (containers count processes anew)."""
    parts = [platform.node()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        parts += [boot.read_text(encoding="ascii").strip(), str(Path("/proc/self/ns/pid").readlink())]
    return " ".join(parts)[:255]


def _birth(pid: int) -> str:
    """When a process started, so that a new process with an old number is not taken for the old one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rsplit(")", 1)[1].split()[19]
    except OSError:
        return ""


def is_dead(host: str, process: str) -> bool:
    """Whether a driver is known to be gone: it ran on this machine and its process no longer exists."""
    if host != _host() or sys.platform == "win32":  # on Windows signal 0 would end the process
        return False
    pid, _, birth = process.partition(":")
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass
    return birth != "" and _birth(int(pid)) != birth


def take(engine: Engine, study_id: int, who: Identity, seconds: float) -> None:
    """Write a lease for a new driver."""
    with engine.begin() as connection:
        connection.execute(
            sa.insert(LeaseRow).values(
                study_id=study_id,
                driver=who.driver,
                host=who.host,
                process=who.process,
                started_at=database_now(),
                expires_at=database_now() + seconds,
            )
        )


def renew(engine: Engine, study_id: int, driver: str, seconds: float) -> bool:
    """Extend a lease; False where it is gone, because another driver judged it lapsed."""
    with engine.begin() as connection:
        done = connection.execute(
            sa.update(LeaseRow)
            .where(LeaseRow.study_id == study_id, LeaseRow.driver == driver)
            .values(expires_at=database_now() + seconds)
        )
        return done.rowcount == 1


def drop(engine: Engine, study_id: int, driver: str) -> None:
    """Give a lease back."""
    with engine.begin() as connection:
        connection.execute(sa.delete(LeaseRow).where(LeaseRow.study_id == study_id, LeaseRow.driver == driver))


def live(engine: Engine, study_id: int) -> tuple[Lease, ...]:
    """Leases that have not lapsed, oldest first."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(
                LeaseRow.driver, LeaseRow.host, LeaseRow.process, (LeaseRow.expires_at - database_now()).label("left")
            )
            .where(LeaseRow.study_id == study_id)
            .order_by(LeaseRow.started_at, LeaseRow.driver)
        ).all()
    return tuple(Lease(*row) for row in rows if row.left > 0 and not is_dead(row.host, row.process))


def drop_dead(engine: Engine, study_id: int) -> None:
    """Remove leases whose time is over or whose process is known to be gone; only then may trials be taken over."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(LeaseRow.driver, LeaseRow.host, LeaseRow.process).where(LeaseRow.study_id == study_id)
        ).all()
    gone = [row.driver for row in rows if is_dead(row.host, row.process)]
    with engine.begin() as connection:
        connection.execute(
            sa.delete(LeaseRow).where(
                LeaseRow.study_id == study_id,
                sa.or_(LeaseRow.driver.in_(gone), LeaseRow.expires_at <= database_now()),
            )
        )
