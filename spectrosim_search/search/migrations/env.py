"""Run by Alembic for every change: our tables only, our own version table, Optuna's tables out of sight."""

from __future__ import annotations

from alembic import context

from spectrosim_search.search.store_schema import ours
from spectrosim_search.search.store_tables import VERSION_TABLE, Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    version_table=VERSION_TABLE,
    include_object=ours,
    render_as_batch=True,
)
context.run_migrations()
