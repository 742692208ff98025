"""Fits of baselines in the study database: one commit each, so that nothing is fitted twice.

A database older than the table is opened for reading without it; whoever writes has brought it up to date.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from spectrosim_search.config.study import Study
from spectrosim_search.search.records import BaselineFit, EnvironmentRecord
from spectrosim_search.search.store_arrays import class_arrays, classes_of, mixture_arrays, mixtures_of
from spectrosim_search.search.store_codec import from_json, to_json
from spectrosim_search.search.store_engine import database_errors
from spectrosim_search.search.store_tables import BaselineFitRow, StudyRow
from spectrosim_search.search.store_writes import Writer

if TYPE_CHECKING:
    from spectrosim_search.search.store import Store

__all__ = ["add_fit", "read_fits", "stored_study"]


def read_fits(store: Store, name: str) -> dict[str, BaselineFit]:
    """All stored fits of a study by their keys."""
    study_id = store.study_id(name)
    pairs = store.pairs(study_id)
    with database_errors(store.engine.url), store.engine.connect() as connection:
        rows = connection.execute(sa.select(BaselineFitRow).where(BaselineFitRow.study_id == study_id)).all()
    out = {}
    for row in rows:
        scored, arrays = pairs.load(row.pair_sets, row.arrays)
        out[row.key] = from_json(
            BaselineFit, row.record, pairs=scored, classes=classes_of(arrays), mixtures=mixtures_of(arrays)
        )
    return out


def add_fit(store: Store, name: str, fit: BaselineFit, environment: EnvironmentRecord) -> None:
    """Store a fit in one commit, in place of an earlier one of its key (that failed, or scored fewer pairs)."""
    study_id = store.study_id(name)
    with database_errors(store.engine.url):
        Writer(store.engine).environment(environment)
        ids, blob = store.pairs(study_id).store(fit.pairs, **class_arrays(fit.classes), **mixture_arrays(fit.mixtures))
        same = sa.and_(BaselineFitRow.study_id == study_id, BaselineFitRow.key == fit.key)
        row = {
            "study_id": study_id,
            "key": fit.key,
            "record": to_json(fit, without=("pairs", "classes", "mixtures")),
            "environment_id": fit.environment_id,
            "pair_sets": ids,
            "arrays": blob,
        }
        try:
            with store.engine.begin() as connection:
                connection.execute(sa.delete(BaselineFitRow).where(same))
                connection.execute(sa.insert(BaselineFitRow).values(**row))
        except IntegrityError:  # another driver stored the same fit meanwhile: equal items give equal fits
            with store.engine.connect() as connection:
                if connection.execute(sa.select(BaselineFitRow.key).where(same)).first() is None:
                    raise


def stored_study(store: Store, name: str) -> Study | None:
    """The study of that name as it was last run; None where the database has none."""
    with database_errors(store.engine.url), store.engine.connect() as connection:
        text = connection.execute(sa.select(StudyRow.study).where(StudyRow.name == name)).scalar()
    return None if text is None else from_json(Study, text)
