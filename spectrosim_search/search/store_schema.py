"""Creating and updating the project's tables through Alembic, without an ini file."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from spectrosim_search.config.errors import InputError
from spectrosim_search.search.store_engine import redacted
from spectrosim_search.search.store_tables import PREFIX, VERSION_TABLE

__all__ = ["current_revision", "head_revision", "is_known", "newer", "ours", "prepare"]

_LOCK = 0x5350_4543_5452_4F53  # any number that nobody else uses for an advisory lock
_Kind = Literal["schema", "table", "column", "index", "unique_constraint", "foreign_key_constraint"]


def ours(item: object, name: str | None, kind: str, reflected: bool, compare_to: object) -> bool:
    """Alembic's `include_object`: whether a table belongs to this project (Optuna's do not)."""
    del item, reflected, compare_to
    return kind != "table" or (name or "").startswith(PREFIX)


def _configuration(connection: Connection | None = None) -> Any:
    from alembic.config import Config

    logging.getLogger("alembic").setLevel(logging.WARNING)
    configuration = Config()
    configuration.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    configuration.set_main_option("path_separator", "os")
    configuration.attributes["connection"] = connection
    return configuration


def _script() -> Any:
    from alembic.script import ScriptDirectory

    return ScriptDirectory.from_config(_configuration())


def head_revision() -> str:
    """Name of the newest change this version knows."""
    return str(_script().get_current_head())


def is_known(revision: str) -> bool:
    """Whether this version knows a change by that name; it does not where a newer one wrote the database."""
    return revision in {r.revision for r in _script().walk_revisions()}


def current_revision(connection: Connection) -> str | None:
    """Name of the newest change applied to a database; None where it has none of our tables."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    row = connection.execute(sa.text(f"SELECT version_num FROM {VERSION_TABLE}")).first()
    return None if row is None else str(row[0])


def prepare(engine: Engine, url: URL) -> None:
    """Bring the tables up to date, once and under a lock, whoever else starts at the same time.

    Raises InputError where a newer version of the program wrote the database.
    """
    from alembic import command

    with engine.connect() as connection:
        if engine.dialect.name == "sqlite":
            # SQLite's own tables are transactional once a transaction is open; the second to come waits here.
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        elif engine.dialect.name == "postgresql":
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        now = current_revision(connection)
        if now is not None and not is_known(now):
            raise newer(url)
        if now != head_revision():
            command.upgrade(_configuration(connection), "head")
        connection.commit()


def newer(url: URL) -> InputError:
    """The error for a database of a later version."""
    return InputError(
        f"{redacted(url)} was written by a newer version of spectrosim-search: upgrade with "
        "pip install -U spectrosim-search, or name another database"
    )
