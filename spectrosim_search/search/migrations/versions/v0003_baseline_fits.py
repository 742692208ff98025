"""Fits of baselines, one row each, so that an interrupted comparison goes on where it stopped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0003_baseline_fits"
down_revision = "0002_trial_costs"

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def upgrade() -> None:
    """Add one table; nothing that was there is touched."""
    study = sa.ForeignKey("spectrosim_studies.id", ondelete="CASCADE")
    op.create_table(
        "spectrosim_baseline_fits",
        sa.Column("study_id", sa.Integer(), study, primary_key=True, nullable=False),
        sa.Column("key", sa.String(64), primary_key=True, nullable=False),
        sa.Column("record", _LONG, nullable=False),
        sa.Column("environment_id", sa.String(64), sa.ForeignKey("spectrosim_environments.id"), nullable=False),
        sa.Column("pair_sets", _LONG, nullable=False),
        sa.Column("arrays", _BYTES, nullable=False),
    )
