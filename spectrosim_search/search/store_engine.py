"""Where a study database lives: its URL, its engine, its errors in plain words."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError

from spectrosim_search.config.errors import InputError, MissingExtraError

__all__ = [
    "BUSY_SECONDS",
    "database_errors",
    "engine_options",
    "explain",
    "locate",
    "make_engine",
    "on_network",
    "read_only_url",
    "redacted",
    "sqlite_file",
    "tune",
]

BUSY_SECONDS = 60
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "lustre", "gpfs", "ceph", "beegfs", "glusterfs"}
)
_SECRET = frozenset({"password", "passwd", "pwd", "sslpassword", "passfile"})


def locate(url: str | Path) -> URL:
    """Turn a URL or a path of an SQLite file into a SQLAlchemy URL; PostgreSQL is reached through psycopg 3.

    Raises InputError where it cannot be read; the text itself is not repeated, it may hold a password.
    """
    text = str(url)
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        made = sa.make_url(text)
    except (ArgumentError, ValueError) as error:
        raise InputError(
            "the storage is no database URL: write sqlite:///study.db or postgresql://user@host/database"
        ) from error
    if made.drivername in ("postgresql", "postgres"):
        made = made.set(drivername="postgresql+psycopg")
    if made.get_backend_name() == "sqlite" and made.database in (None, "", ":memory:"):
        raise InputError("a study needs a database file: write sqlite:///study.db")
    return made


def redacted(url: str | Path | URL) -> str:
    """The URL without any password, for logs, reports and error messages."""
    made = url if isinstance(url, URL) else locate(url)
    hidden = {k: "***" for k in made.query if k.lower() in _SECRET}
    return made.update_query_dict(hidden).render_as_string(hide_password=True)


def sqlite_file(url: URL) -> Path | None:
    """The file behind an SQLite URL; None for a server."""
    if url.get_backend_name() != "sqlite":
        return None
    return Path(str(url.database))


def on_network(file: Path) -> bool:
    """Whether the file lies on a network file system, where SQLite's write-ahead log is not safe."""
    if str(file).startswith("\\\\"):
        return True
    if not sys.platform.startswith("linux"):
        return False
    target = file.resolve()
    best, kind = -1, ""
    for line in Path("/proc/self/mounts").read_text(encoding="utf-8", errors="replace").splitlines():
        _, place, this_kind, *_ = line.split(" ")
        mount = Path(place.replace("\\040", " "))
        if target.is_relative_to(mount) and len(mount.parts) >= best:
            best, kind = len(mount.parts), this_kind
    return kind in _NETWORK or kind.startswith("fuse.sshfs")


def read_only_url(url: URL) -> URL:
    """The same database, opened so that nothing can be created or written (SQLite); servers are left as they are."""
    file = sqlite_file(url)
    if file is None:
        return url
    # Without a log beside it nobody writes, and `immutable` keeps SQLite from creating one for us to read through.
    quiet = not file.with_name(file.name + "-wal").exists()
    query = {"mode": "ro", "uri": "true"} | ({"immutable": "1"} if quiet else {})
    return url.set(database=f"file:{quote(str(file.resolve()))}", query=query)


def engine_options(url: URL) -> dict[str, Any]:
    """Settings shared by our engine and Optuna's."""
    if url.get_backend_name() == "sqlite":
        return {"connect_args": {"timeout": BUSY_SECONDS}}
    return {"pool_pre_ping": True}


def tune(engine: Engine, *, wal: bool, read_only: bool) -> None:
    """Set the SQLite pragmas on every new connection of an engine."""
    if engine.dialect.name != "sqlite":
        return

    def pragmas(connection: Any, record: object) -> None:
        del record
        cursor = connection.cursor()
        cursor.execute("PRAGMA foreign_keys=ON")
        if read_only:
            cursor.execute("PRAGMA query_only=ON")
        else:
            cursor.execute(f"PRAGMA journal_mode={'WAL' if wal else 'DELETE'}")
            cursor.execute(f"PRAGMA synchronous={'NORMAL' if wal else 'FULL'}")
        cursor.close()

    sa.event.listen(engine, "connect", pragmas)


def make_engine(url: URL, *, read_only: bool = False) -> Engine:
    """Open a database. Raises InputError where the place is missing or the driver is not installed."""
    file = sqlite_file(url)
    wal = True
    if file is not None and not read_only:
        if not file.parent.is_dir():
            raise InputError(f"cannot write {file}: there is no directory {file.parent}; make it or name another place")
        if file.is_dir():
            raise InputError(f"cannot write {file}: it is a directory; name a file in it")
        if on_network(file):
            wal = False
            warnings.warn(
                f"{file} lies on a network file system: SQLite keeps a plain journal there and one driver only; "
                "a local disk or PostgreSQL is safer",
                RuntimeWarning,
                stacklevel=3,
            )
    try:
        engine = sa.create_engine(url, **engine_options(url))
    except ModuleNotFoundError as error:
        if url.get_backend_name() == "postgresql":
            raise MissingExtraError("psycopg", "postgres", "PostgreSQL storage") from error
        raise InputError(
            f"the database driver '{error.name}' is not installed: install it to use {redacted(url)}"
        ) from error
    except NoSuchModuleError as error:
        raise InputError(f"unknown kind of database in {redacted(url)}: write sqlite:// or postgresql://") from error
    tune(engine, wal=wal, read_only=read_only)
    return engine


@contextmanager
def database_errors(url: URL) -> Iterator[None]:
    """Turn what a database refuses into one line. Integrity errors pass: they are answers, not failures."""
    try:
        yield
    except sa.exc.IntegrityError:
        raise
    except SQLAlchemyError as error:
        raise InputError(explain(url, error)) from error


def explain(url: URL, error: BaseException) -> str:
    """One line for a database error: what, where, what to do."""
    origin = error.orig if isinstance(error, DBAPIError) else error
    text = " ".join(str(origin).split())
    low = text.lower()
    place = str(sqlite_file(url) or redacted(url))
    if "unable to open database file" in low:
        return f"cannot open {place}: check that its directory exists and can be written"
    if "readonly" in low or "read-only" in low:
        return f"cannot write {place}: the file or its directory is read-only; change that or name another place"
    if "locked" in low or "busy" in low:
        return f"{place} has been locked by another program for {BUSY_SECONDS} s; close it and run again"
    if "disk is full" in low or "no space left" in low or "disk full" in low:
        return f"the disk that holds {place} is full: make room and run again, what was finished is kept"
    if "not a database" in low or "malformed" in low:
        return f"{place} is not an SQLite database, or damaged: name another file or restore a copy"
    return f"the database {place} refused: {text[:300]}"
