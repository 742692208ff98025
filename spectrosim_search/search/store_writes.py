"""From records to rows: each function is one commit, and what is stored under a name of its own is stored once."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from numpy.typing import NDArray
from sqlalchemy.engine import Engine
from sqlalchemy.exc import IntegrityError

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.search.records import (
    BaselineRecord,
    ConfirmationRecord,
    DatasetRecord,
    EnvironmentRecord,
    ReplicateRecord,
)
from spectrosim_search.search.store_arrays import PairSets, class_arrays, mirrored_arrays, mixture_arrays, view_arrays
from spectrosim_search.search.store_codec import to_json
from spectrosim_search.search.store_tables import (
    BaselineRow,
    ConfigurationRow,
    ConfirmationRow,
    DatasetRow,
    EnvironmentRow,
    ReplicateRow,
)

__all__ = ["Writer", "scalar"]

REPLACE_TRIES = 20  # a driver writes a row once; as many would have to come between
_REPLICATE_FIELDS = (
    "key",
    "phase",
    "configuration_id",
    "trial_number",
    "cell",
    "fold",
    "seed",
    "status",
    "reason",
    "worker",
    "started_at",
    "train_seconds",
    "total_seconds",
    "environment_id",
)


class Writer:
    """Writes records; remembers which data sets, environments and configurations are there already."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._seen: set[tuple[str, str]] = set()

    def forget(self) -> None:
        """Look again before the next insertion: rows were deleted."""
        self._seen.clear()

    def dataset(self, record: DatasetRecord) -> None:
        """Store a data set under its fingerprint."""
        self._once(DatasetRow, "fingerprint", record.fingerprint, record)

    def environment(self, record: EnvironmentRecord) -> None:
        """Store an environment under its id."""
        self._once(EnvironmentRow, "id", record.id, record)

    def configuration(self, configuration: Configuration) -> None:
        """Store a configuration under its identity."""
        self._once(ConfigurationRow, "id", configuration.identity, configuration)

    def replicate(self, study_id: int, pairs: PairSets, record: ReplicateRecord) -> bool:
        """Store a replicate; False where its key was stored before."""
        arrays = {"curve": record.curve, "loss": record.loss, **class_arrays(record.classes)}
        ids, blob = pairs.store(record.pairs, **arrays, **mixture_arrays(record.mixtures))
        details = {"metrics": dict(record.metrics), "chosen_epochs": list(record.chosen_epochs)}
        values = {name: getattr(record, name) for name in _REPLICATE_FIELDS} | {
            "study_id": study_id,
            "score": record.score if math.isfinite(record.score) else None,
            "details": json.dumps(details, default=scalar),
            "pair_sets": ids,
            "arrays": blob,
        }
        there = sa.select(ReplicateRow.id).where(ReplicateRow.study_id == study_id, ReplicateRow.key == record.key)
        return self._insert(ReplicateRow, values, there)

    def baseline(self, study_id: int, pairs: PairSets, record: BaselineRecord) -> None:
        """Store a baseline, in place of an earlier one of that name."""
        ids, blob = pairs.store(record.pairs, **class_arrays(record.classes))
        self._replace(
            sa.delete(BaselineRow).where(BaselineRow.study_id == study_id, BaselineRow.name == record.name),
            sa.insert(BaselineRow).values(
                study_id=study_id,
                name=record.name,
                record=to_json(record, without=("pairs", "classes")),
                pair_sets=ids,
                arrays=blob,
            ),
        )

    def confirmation(self, study_id: int, pairs: PairSets, record: ConfirmationRecord) -> None:
        """Store the confirmation, in place of an earlier one."""
        given: dict[str, NDArray[Any]] = {"embedding": record.embedding, "group_codes": record.group_codes}
        arrays = given | view_arrays(record.axis_view) | mirrored_arrays(record.mirrored) | class_arrays(record.classes)
        ids, blob = pairs.store(record.pairs, **arrays)
        self._replace(
            sa.delete(ConfirmationRow).where(ConfirmationRow.study_id == study_id),
            sa.insert(ConfirmationRow).values(
                study_id=study_id,
                record=to_json(record, without=("pairs", "axis_view", "mirrored", "classes", *given)),
                pair_sets=ids,
                arrays=blob,
            ),
        )

    def _replace(self, old: sa.Delete, new: sa.Insert) -> None:
        """Put a row in place of another; the last of several writers wins."""
        for tries_left in reversed(range(REPLACE_TRIES)):
            try:
                with self._engine.begin() as connection:
                    connection.execute(old)
                    connection.execute(new)
            except IntegrityError:  # another driver's row came between the two: the next try removes it
                if not tries_left:
                    raise
            else:
                return

    def _once(self, table: type[Any], column: str, name: str, record: object) -> None:
        mark = (str(table.__tablename__), name)
        if mark in self._seen:
            return
        key = getattr(table, column)
        there = sa.select(key).where(key == name)
        with self._engine.connect() as connection:
            known = connection.execute(there).first() is not None
        if not known:
            self._insert(table, {column: name, "record": to_json(record)}, there)
        self._seen.add(mark)

    def _insert(self, table: type[Any], values: Mapping[str, Any], there: sa.Select[Any]) -> bool:
        """Insert a row; False where another writer was faster. Any other broken constraint is an error."""
        try:
            with self._engine.begin() as connection:
                connection.execute(sa.insert(table).values(**values))
        except IntegrityError:
            with self._engine.connect() as connection:
                if connection.execute(there).first() is None:
                    raise
            return False
        return True


def scalar(value: Any) -> Any:
    """NumPy's scalars as Python's, for JSON."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")
