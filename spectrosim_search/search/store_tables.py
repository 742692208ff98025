"""The project's own tables, beside Optuna's in one database. All names start with ``spectrosim_``."""

from __future__ import annotations

from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import mysql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

__all__ = [
    "PREFIX",
    "VERSION_TABLE",
    "Base",
    "BaselineFitRow",
    "BaselineRow",
    "ConfigurationRow",
    "ConfirmationRow",
    "DatasetRow",
    "EnvironmentRow",
    "LeaseRow",
    "PairSetRow",
    "ReplicateRow",
    "SlotRow",
    "StudyRow",
    "TrialCostRow",
]

PREFIX = "spectrosim_"
VERSION_TABLE = "spectrosim_alembic_version"

Long = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")
Bytes = sa.LargeBinary().with_variant(mysql.LONGBLOB(), "mysql", "mariadb")


def _study_key(*, primary_key: bool = False, index: bool = False) -> Mapped[int]:
    return mapped_column(
        sa.ForeignKey(f"{PREFIX}studies.id", ondelete="CASCADE"), primary_key=primary_key, index=index, nullable=False
    )


class Base(DeclarativeBase):
    """Metadata of the project's tables; floats keep double precision on every database."""

    type_annotation_map: ClassVar[dict[Any, Any]] = {float: sa.Double()}


class DatasetRow(Base):
    """What was searched on; `record` is a DatasetRecord."""

    __tablename__ = f"{PREFIX}datasets"
    fingerprint: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    record: Mapped[str] = mapped_column(Long)


class EnvironmentRow(Base):
    """Package versions and hardware; `record` is an EnvironmentRecord."""

    __tablename__ = f"{PREFIX}environments"
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    record: Mapped[str] = mapped_column(Long)


class ConfigurationRow(Base):
    """Every configuration that was trained, by its identity."""

    __tablename__ = f"{PREFIX}configurations"
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    record: Mapped[str] = mapped_column(Long)


class StudyRow(Base):
    """One question put to one data set; `question` leaves out what may change when the study goes on."""

    __tablename__ = f"{PREFIX}studies"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    name: Mapped[str] = mapped_column(sa.String(255), unique=True)
    study: Mapped[str] = mapped_column(Long)
    question: Mapped[str] = mapped_column(sa.String(64))
    fingerprint: Mapped[str] = mapped_column(sa.ForeignKey(f"{PREFIX}datasets.fingerprint"))
    design: Mapped[str] = mapped_column(Long)
    created_at: Mapped[float]
    search_seconds: Mapped[float] = mapped_column(default=0.0)
    confirmation_seconds: Mapped[float] = mapped_column(default=0.0)


class SlotRow(Base):
    """One of the trials that were asked for. `state`: free, asking, running, complete, pruned.

    `attempt` counts trials of this slot that failed for infrastructure; `number` is the Optuna trial's.
    """

    __tablename__ = f"{PREFIX}trials"
    study_id: Mapped[int] = _study_key(primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    attempt: Mapped[int] = mapped_column(default=0)
    state: Mapped[str] = mapped_column(sa.String(16))
    driver: Mapped[str] = mapped_column(sa.String(64), default="")
    number: Mapped[int | None]
    granted: Mapped[int] = mapped_column(default=0)
    configuration_id: Mapped[str] = mapped_column(sa.String(64), default="")
    value: Mapped[float | None]
    reason: Mapped[str] = mapped_column(Long, default="")


class TrialCostRow(Base):
    """What Optuna does not keep of a trial with several objectives; `number` is the Optuna trial's.

    `costs`: objective → value, the score left out; `means`: running means of the score after each number of cells;
    `measured`: milliseconds of inference by the clock, once they were measured.
    """

    __tablename__ = f"{PREFIX}trial_costs"
    study_id: Mapped[int] = _study_key(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    costs: Mapped[str] = mapped_column(Long)
    means: Mapped[str] = mapped_column(Long)
    measured: Mapped[float | None]


class PairSetRow(Base):
    """Index arrays of scored pairs, stored once for all replicates of a cell."""

    __tablename__ = f"{PREFIX}pair_sets"
    study_id: Mapped[int] = _study_key(primary_key=True)
    id: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    arrays: Mapped[bytes] = mapped_column(Bytes)


class ReplicateRow(Base):
    """One training run. `details` are metrics and chosen epochs; `arrays` similarities, thresholds and curves."""

    __tablename__ = f"{PREFIX}replicates"
    __table_args__ = (sa.UniqueConstraint("study_id", "key", name="uq_spectrosim_replicates_key"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    study_id: Mapped[int] = _study_key(index=True)
    key: Mapped[str] = mapped_column(sa.String(64))
    phase: Mapped[str] = mapped_column(sa.String(16))
    configuration_id: Mapped[str] = mapped_column(sa.String(64))
    trial_number: Mapped[int | None]
    cell: Mapped[int]
    fold: Mapped[int]
    seed: Mapped[int]
    status: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str] = mapped_column(Long, default="")
    score: Mapped[float | None]
    details: Mapped[str] = mapped_column(Long)
    worker: Mapped[str] = mapped_column(sa.String(255))
    started_at: Mapped[float]
    train_seconds: Mapped[float]
    total_seconds: Mapped[float]
    environment_id: Mapped[str] = mapped_column(sa.ForeignKey(f"{PREFIX}environments.id"))
    pair_sets: Mapped[str] = mapped_column(Long)
    arrays: Mapped[bytes] = mapped_column(Bytes)


class LeaseRow(Base):
    """A driver at work on a study; it is alive until `expires_at` (the database's clock)."""

    __tablename__ = f"{PREFIX}leases"
    study_id: Mapped[int] = _study_key(primary_key=True)
    driver: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    host: Mapped[str] = mapped_column(sa.String(255))
    process: Mapped[str] = mapped_column(sa.String(64))
    started_at: Mapped[float]
    expires_at: Mapped[float]


class BaselineRow(Base):
    """A fixed method under the study's own splits; `record` is a BaselineRecord without its pairs."""

    __tablename__ = f"{PREFIX}baselines"
    study_id: Mapped[int] = _study_key(primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    record: Mapped[str] = mapped_column(Long)
    pair_sets: Mapped[str] = mapped_column(Long)
    arrays: Mapped[bytes] = mapped_column(Bytes)


class BaselineFitRow(Base):
    """One fit of a baseline, stored as it ends; `record` is a BaselineFit without its pairs."""

    __tablename__ = f"{PREFIX}baseline_fits"
    study_id: Mapped[int] = _study_key(primary_key=True)
    key: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    record: Mapped[str] = mapped_column(Long)
    environment_id: Mapped[str] = mapped_column(sa.ForeignKey(f"{PREFIX}environments.id"))
    pair_sets: Mapped[str] = mapped_column(Long)
    arrays: Mapped[bytes] = mapped_column(Bytes)


class ConfirmationRow(Base):
    """The end of a study; `record` is a ConfirmationRecord without its arrays."""

    __tablename__ = f"{PREFIX}confirmations"
    study_id: Mapped[int] = _study_key(primary_key=True)
    record: Mapped[str] = mapped_column(Long)
    pair_sets: Mapped[str] = mapped_column(Long)
    arrays: Mapped[bytes] = mapped_column(Bytes)
