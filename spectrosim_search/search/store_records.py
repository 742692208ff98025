"""From rows to frozen records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import sqlalchemy as sa
from sqlalchemy.engine import Engine, Row

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.search.records import (
    BaselineRecord,
    ConfirmationRecord,
    EnvironmentRecord,
    ReplicateRecord,
    TrialRecord,
)
from spectrosim_search.search.store_arrays import PairSets, classes_of, mixtures_of, view_of
from spectrosim_search.search.store_codec import from_json
from spectrosim_search.search.store_costs import TrialCosts
from spectrosim_search.search.store_tables import (
    BaselineRow,
    ConfigurationRow,
    ConfirmationRow,
    EnvironmentRow,
    ReplicateRow,
    SlotRow,
)

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

__all__ = [
    "read_baselines",
    "read_configurations",
    "read_confirmation",
    "read_environments",
    "read_replicates",
    "trial_records",
]

CONFIGURATION_ATTRIBUTE = "configuration"
REASON_ATTRIBUTE = "reason"
SLOT_ATTRIBUTE = "slot"


def read_replicates(
    engine: Engine, study_id: int, pairs: PairSets, *, phase: str | None = None, skip: frozenset[str] = frozenset()
) -> tuple[ReplicateRecord, ...]:
    """Replicates in the order of their commits; those whose key is in `skip` are left out."""
    query = sa.select(ReplicateRow).where(ReplicateRow.study_id == study_id).order_by(ReplicateRow.id)
    if phase is not None:
        query = query.where(ReplicateRow.phase == phase)
    with engine.connect() as connection:
        if skip:
            keys = connection.execute(query.with_only_columns(ReplicateRow.id, ReplicateRow.key)).all()
            wanted = [row.id for row in keys if row.key not in skip]
            rows: list[Row[Any]] = []
            for start in range(0, len(wanted), 500):
                rows += connection.execute(query.where(ReplicateRow.id.in_(wanted[start : start + 500]))).all()
        else:
            rows = list(connection.execute(query).all())
    return tuple(_replicate(row, pairs) for row in rows)


def _replicate(row: Row[Any], pairs: PairSets) -> ReplicateRecord:
    scored, arrays = pairs.load(row.pair_sets, row.arrays)
    details = json.loads(row.details)
    first, second = details["chosen_epochs"]
    return ReplicateRecord(
        key=row.key,
        phase=row.phase,
        configuration_id=row.configuration_id,
        trial_number=row.trial_number,
        cell=row.cell,
        fold=row.fold,
        seed=row.seed,
        status=row.status,
        reason=row.reason,
        score=float("nan") if row.score is None else row.score,
        metrics=details["metrics"],
        curve=arrays["curve"],
        loss=arrays["loss"],
        chosen_epochs=(first, second),
        pairs=scored,
        worker=row.worker,
        started_at=row.started_at,
        train_seconds=row.train_seconds,
        total_seconds=row.total_seconds,
        environment_id=row.environment_id,
        classes=classes_of(arrays),
        mixtures=mixtures_of(arrays),
    )


def read_configurations(engine: Engine, study_id: int) -> dict[str, Configuration]:
    """Configurations a study's trials and replicates refer to, by identity."""
    used = sa.union(
        sa.select(SlotRow.configuration_id).where(SlotRow.study_id == study_id),
        sa.select(ReplicateRow.configuration_id).where(ReplicateRow.study_id == study_id),
    )
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(ConfigurationRow.id, ConfigurationRow.record).where(ConfigurationRow.id.in_(used))
        ).all()
    return {row.id: from_json(Configuration, row.record) for row in rows}


def read_environments(engine: Engine, study_id: int) -> tuple[EnvironmentRecord, ...]:
    """Environments a study's replicates ran in."""
    used = sa.select(ReplicateRow.environment_id).where(ReplicateRow.study_id == study_id)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(EnvironmentRow.record).where(EnvironmentRow.id.in_(used)).order_by(EnvironmentRow.id)
        ).all()
    return tuple(from_json(EnvironmentRecord, row.record) for row in rows)


def read_baselines(engine: Engine, study_id: int, pairs: PairSets) -> tuple[BaselineRecord, ...]:
    """Baselines, sorted by name."""
    with engine.connect() as connection:
        rows = connection.execute(
            sa.select(BaselineRow).where(BaselineRow.study_id == study_id).order_by(BaselineRow.name)
        ).all()
    out = []
    for row in rows:
        scored, arrays = pairs.load(row.pair_sets, row.arrays)
        out.append(from_json(BaselineRecord, row.record, pairs=scored, classes=classes_of(arrays)))
    return tuple(out)


def read_confirmation(engine: Engine, study_id: int, pairs: PairSets) -> ConfirmationRecord | None:
    """The confirmation, once there is one."""
    with engine.connect() as connection:
        row = connection.execute(sa.select(ConfirmationRow).where(ConfirmationRow.study_id == study_id)).first()
    if row is None:
        return None
    scored, arrays = pairs.load(row.pair_sets, row.arrays)
    return from_json(
        ConfirmationRecord,
        row.record,
        pairs=scored,
        embedding=arrays["embedding"].astype(np.float32),
        group_codes=arrays.get("group_codes", np.zeros(0)).astype(np.int64),  # older databases have none
        axis_view=view_of(arrays),
        classes=classes_of(arrays),
    )


def trial_records(
    trials: list[FrozenTrial],
    configurations: Mapping[str, Configuration],
    costs: Mapping[int, TrialCosts] | None = None,
) -> tuple[TrialRecord, ...]:
    """Optuna's trials with the configurations they stand for; `costs` where there are several objectives."""
    out = []
    for t in trials:
        identity = str(t.user_attrs.get(CONFIGURATION_ATTRIBUTE, ""))
        value = t.values[0] if t.values else None  # the score comes first
        intermediate = dict(sorted(t.intermediate_values.items()))
        stored = (costs or {}).get(t.number)
        objectives: dict[str, float] = {}
        if stored is not None:
            intermediate = dict(enumerate(stored.means, start=1))
            if value is None and t.state.name == "PRUNED" and stored.means:
                value = stored.means[-1]
            objectives = ({} if value is None else {"score": value}) | dict(stored.costs)
        out.append(
            TrialRecord(
                number=t.number,
                state=t.state.name,  # type: ignore[arg-type]  # Optuna's five state names are the record's
                value=value,
                parameters=dict(t.params),
                configuration=configurations.get(identity),
                configuration_id=identity,
                intermediate=intermediate,
                reason=str(t.user_attrs.get(REASON_ATTRIBUTE, "")),
                started_at=t.datetime_start.timestamp() if t.datetime_start else None,
                ended_at=t.datetime_complete.timestamp() if t.datetime_complete else None,
                objectives=objectives,
                measured_inference=None if stored is None else stored.measured,
            )
        )
    return tuple(out)
