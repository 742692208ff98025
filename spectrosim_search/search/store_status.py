"""Where a study stands, from a handful of cheap queries: no Optuna, nothing heavy."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from spectrosim_search.config.study import Study
from spectrosim_search.search import store_leases, store_slots
from spectrosim_search.search.pareto import on_front
from spectrosim_search.search.store_codec import from_json
from spectrosim_search.search.store_costs import read_costs
from spectrosim_search.search.store_tables import ConfirmationRow, ReplicateRow, StudyRow

__all__ = ["FrontRow", "StudyStatus", "read_status"]


@dataclass(frozen=True)
class FrontRow:
    """One trial of the Pareto front. `measured`: inference by the clock, ms for 64 spectra, once it was measured."""

    trial: int
    objectives: Mapping[str, float]
    measured: float | None


@dataclass(frozen=True)
class StudyStatus:
    """Where a study stands. Times are seconds since the epoch where named ``*_at``."""

    name: str
    created_at: float
    asked: int  # trials asked for in all (the budget)
    complete: int
    pruned: int
    running: int
    failed: int
    best_value: float | None
    best_trial: int | None
    replicates: Mapping[str, int]  # phase → replicates stored
    last_result_at: float | None
    drivers: tuple[str, ...]  # machine and process of each driver at work
    search_seconds: float
    confirmation_seconds: float
    confirmed: bool
    outcome: str  # the verdict's sentence; empty before the confirmation
    objectives: tuple[str, ...] = ("score",)
    front: tuple[FrontRow, ...] = ()  # of several objectives, best score first


def read_status(engine: Engine, study_id: int) -> StudyStatus:
    """Read the status of one study."""
    slots = store_slots.read(engine, study_id)
    drivers = store_leases.live(engine, study_id)
    with engine.connect() as connection:
        row = connection.execute(sa.select(StudyRow).where(StudyRow.id == study_id)).one()
        phases = connection.execute(
            sa.select(ReplicateRow.phase, sa.func.count().label("stored"))
            .where(ReplicateRow.study_id == study_id)
            .group_by(ReplicateRow.phase)
        ).all()
        counts = {p.phase: p.stored for p in phases}
        last = connection.execute(
            sa.select(sa.func.max(ReplicateRow.started_at + ReplicateRow.total_seconds)).where(
                ReplicateRow.study_id == study_id
            )
        ).scalar()
        verdict = connection.execute(
            sa.select(ConfirmationRow.record).where(ConfirmationRow.study_id == study_id)
        ).scalar()
    best = max(
        (s for s in slots if s.state == "complete" and s.value is not None),
        key=lambda s: s.value or 0.0,
        default=None,
    )
    study = from_json(Study, row.study)
    return StudyStatus(
        name=row.name,
        created_at=row.created_at,
        asked=study.budget.trials,
        complete=sum(s.state == "complete" for s in slots),
        pruned=sum(s.state == "pruned" for s in slots),
        running=sum(s.state in store_slots.OPEN for s in slots),
        failed=sum(s.attempt for s in slots),
        best_value=None if best is None else best.value,
        best_trial=None if best is None else best.number,
        replicates=counts,
        last_result_at=last,
        drivers=tuple(f"{d.host.split(' ')[0]}, process {d.process.split(':')[0]}" for d in drivers),
        search_seconds=row.search_seconds,
        confirmation_seconds=row.confirmation_seconds,
        confirmed=verdict is not None,
        outcome="" if verdict is None else str(json.loads(verdict)["verdict"]["sentence"]),
        objectives=study.objectives,
        front=_front(engine, study_id, slots, study.objectives),
    )


def _front(
    engine: Engine, study_id: int, slots: Sequence[store_slots.Slot], names: Sequence[str]
) -> tuple[FrontRow, ...]:
    if len(names) < 2:
        return ()
    costs = read_costs(engine, study_id)
    first: dict[str, FrontRow] = {}
    for s in sorted(slots, key=lambda s: s.number if s.number is not None else -1):
        if s.state == "complete" and s.number in costs and s.value is not None:
            stored = costs[s.number]
            row = FrontRow(s.number, {"score": s.value, **stored.costs}, stored.measured)
            first.setdefault(s.configuration_id, row)
    rows = list(first.values())
    found = [rows[i] for i in on_front([r.objectives for r in rows], names)]
    return tuple(sorted(found, key=lambda r: (-r.objectives["score"], r.trial)))
