"""First tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001_first_tables"
down_revision = None

_LONG = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
_BYTES = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _text(name: str, length: int = 64, *, key: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(length), primary_key=key, nullable=False)


def _long(name: str) -> sa.Column[str]:
    return sa.Column(name, _LONG, nullable=False)


def _bytes(name: str) -> sa.Column[bytes]:
    return sa.Column(name, _BYTES, nullable=False)


def _number(name: str) -> sa.Column[float]:
    return sa.Column(name, sa.Double(), nullable=False)


def _whole(name: str, *, nullable: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=nullable)


def _study(*, key: bool = True) -> sa.Column[int]:
    target = sa.ForeignKey("spectrosim_studies.id", ondelete="CASCADE")
    return sa.Column("study_id", sa.Integer(), target, primary_key=key, nullable=False)


def upgrade() -> None:
    """Create every table of the first version."""
    op.create_table("spectrosim_datasets", _text("fingerprint", key=True), _long("record"))
    op.create_table("spectrosim_environments", _text("id", key=True), _long("record"))
    op.create_table("spectrosim_configurations", _text("id", key=True), _long("record"))
    op.create_table(
        "spectrosim_studies",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("name", sa.String(255), nullable=False, unique=True),
        _long("study"),
        _text("question"),
        sa.Column("fingerprint", sa.String(64), sa.ForeignKey("spectrosim_datasets.fingerprint"), nullable=False),
        _long("design"),
        _number("created_at"),
        _number("search_seconds"),
        _number("confirmation_seconds"),
    )
    op.create_table(
        "spectrosim_trials",
        _study(),
        sa.Column("slot", sa.Integer(), primary_key=True, autoincrement=False),
        _whole("attempt"),
        _text("state", 16),
        _text("driver"),
        _whole("number", nullable=True),
        _whole("granted"),
        _text("configuration_id"),
        sa.Column("value", sa.Double(), nullable=True),
        _long("reason"),
    )
    op.create_table("spectrosim_pair_sets", _study(), _text("id", key=True), _bytes("arrays"))
    op.create_table(
        "spectrosim_replicates",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        _study(key=False),
        _text("key"),
        _text("phase", 16),
        _text("configuration_id"),
        _whole("trial_number", nullable=True),
        _whole("cell"),
        _whole("fold"),
        _whole("seed"),
        _text("status", 16),
        _long("reason"),
        sa.Column("score", sa.Double(), nullable=True),
        _long("details"),
        _text("worker", 255),
        _number("started_at"),
        _number("train_seconds"),
        _number("total_seconds"),
        sa.Column("environment_id", sa.String(64), sa.ForeignKey("spectrosim_environments.id"), nullable=False),
        _long("pair_sets"),
        _bytes("arrays"),
        sa.UniqueConstraint("study_id", "key", name="uq_spectrosim_replicates_key"),
    )
    op.create_index("ix_spectrosim_replicates_study_id", "spectrosim_replicates", ["study_id"])
    op.create_table(
        "spectrosim_leases",
        _study(),
        _text("driver", key=True),
        _text("host", 255),
        _text("process"),
        _number("started_at"),
        _number("expires_at"),
    )
    op.create_table(
        "spectrosim_baselines",
        _study(),
        _text("name", key=True),
        _long("record"),
        _long("pair_sets"),
        _bytes("arrays"),
    )
    op.create_table("spectrosim_confirmations", _study(), _long("record"), _long("pair_sets"), _bytes("arrays"))
