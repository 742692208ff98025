"""Costs of trials, for studies with several objectives."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0002_trial_costs"
down_revision = "0001_first_tables"

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    """Add one table; nothing that was there is touched."""
    study = sa.ForeignKey("spectrosim_studies.id", ondelete="CASCADE")
    op.create_table(
        "spectrosim_trial_costs",
        sa.Column("study_id", sa.Integer(), study, primary_key=True, nullable=False),
        sa.Column("number", sa.Integer(), primary_key=True, autoincrement=False, nullable=False),
        sa.Column("costs", _LONG, nullable=False),
        sa.Column("means", _LONG, nullable=False),
        sa.Column("measured", sa.Double(), nullable=True),
    )
