"""Costs, running means and measured times of trials with several objectives: Optuna keeps no reports of those.

Studies of one objective have no rows here, so databases older than the table are read without it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from spectrosim_search.search.store_tables import TrialCostRow

__all__ = ["TrialCosts", "note_costs", "note_means", "note_measured", "read_costs"]


@dataclass(frozen=True)
class TrialCosts:
    """What is stored of one trial; see :class:`TrialCostRow`."""

    costs: Mapping[str, float]
    means: tuple[float, ...]
    measured: float | None


def read_costs(engine: Engine, study_id: int) -> dict[int, TrialCosts]:
    """Trial number → what is stored of it."""
    with engine.connect() as connection:
        rows = connection.execute(sa.select(TrialCostRow).where(TrialCostRow.study_id == study_id)).all()
    return {r.number: TrialCosts(json.loads(r.costs), tuple(json.loads(r.means)), r.measured) for r in rows}


def note_costs(engine: Engine, study_id: int, number: int, costs: Mapping[str, float]) -> None:
    """Store the costs of a trial; what was stored before stays (it is the same)."""
    values = {"study_id": study_id, "number": number, "costs": json.dumps(dict(costs)), "means": "[]"}
    try:
        with engine.begin() as connection:
            connection.execute(sa.insert(TrialCostRow).values(**values))
    except IntegrityError:
        with engine.connect() as connection:
            there = sa.select(TrialCostRow.number).where(_row(study_id, number))
            if connection.execute(there).first() is None:
                raise


def note_means(engine: Engine, study_id: int, number: int, means: Sequence[float]) -> None:
    """Store the running means of a trial's score in place of earlier ones."""
    _update(engine, study_id, number, means=json.dumps(list(means)))


def note_measured(engine: Engine, study_id: int, number: int, milliseconds: float) -> None:
    """Store what a clock said about a trial's inference time."""
    _update(engine, study_id, number, measured=milliseconds)


def _row(study_id: int, number: int) -> sa.ColumnElement[bool]:
    return sa.and_(TrialCostRow.study_id == study_id, TrialCostRow.number == number)


def _update(engine: Engine, study_id: int, number: int, **values: object) -> None:
    with engine.begin() as connection:
        connection.execute(sa.update(TrialCostRow).where(_row(study_id, number)).values(**values))
