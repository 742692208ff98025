"""The study database: everything a study knows, in one place, with one commit a replicate.

Our tables and Optuna's lie side by side. SQLite files are opened in WAL mode; PostgreSQL and other servers through any
SQLAlchemy URL. Every database failure a user can cause is an InputError of one line.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import InputError, nearest
from spectrosim_search.config.fields import plain
from spectrosim_search.config.study import Study
from spectrosim_search.search import store_leases, store_records, store_schema
from spectrosim_search.search.records import (
    BaselineRecord,
    ConfirmationRecord,
    DatasetRecord,
    EnvironmentRecord,
    ReplicateRecord,
    StudyRecord,
)
from spectrosim_search.search.store_arrays import PairSets
from spectrosim_search.search.store_codec import from_json, to_json
from spectrosim_search.search.store_costs import read_costs
from spectrosim_search.search.store_engine import (
    database_errors,
    locate,
    make_engine,
    read_only_url,
    redacted,
    sqlite_file,
)
from spectrosim_search.search.store_question import check_same, is_closed, outer_of, question_of, with_baselines_of
from spectrosim_search.search.store_status import StudyStatus, read_status
from spectrosim_search.search.store_tables import (
    BaselineFitRow,
    ConfigurationRow,
    DatasetRow,
    EnvironmentRow,
    ReplicateRow,
    SlotRow,
    StudyRow,
)
from spectrosim_search.search.store_writes import Writer, scalar

if TYPE_CHECKING:
    import optuna
    from optuna.storages import BaseStorage

__all__ = ["Store", "StudyStatus", "redacted"]


class Store:
    """A study database.

    `url`: an SQLAlchemy URL or the path of an SQLite file. With `read_only` nothing is created, updated or locked.
    Raises InputError where the database cannot be opened, is missing (`read_only`) or was written by a newer version.
    """

    def __init__(self, url: str | Path, *, read_only: bool = False) -> None:
        located = locate(url)
        self.read_only = read_only
        self.shown = redacted(located)
        file = sqlite_file(located)
        if read_only and file is not None and not file.is_file():
            raise InputError(f"there is no study database {file}: run a study first, or name it with --storage")
        self._url = read_only_url(located) if read_only else located
        self.engine = make_engine(self._url, read_only=read_only)
        self.shared = file is None  # whether several drivers may work here
        self._writer = Writer(self.engine)
        self._pairs: dict[int, PairSets] = {}
        self._ids: dict[str, int] = {}
        self._storage: tuple[Any, BaseStorage] | None = None
        try:
            with database_errors(located):
                if read_only:
                    self._require_tables()
                else:
                    store_schema.prepare(self.engine, located)
        except InputError:
            self.engine.dispose()
            raise

    def _require_tables(self) -> None:
        with self.engine.connect() as connection:
            now = store_schema.current_revision(connection)
        if now is None:
            raise InputError(f"there are no studies in {self.shown}: run a study first, or name its database")
        if not store_schema.is_known(now):  # an older one has all that its studies need
            raise store_schema.newer(self._url)

    def __enter__(self) -> Store:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections."""
        if self._storage is not None:
            self._storage[0].remove_session()
            self._storage[0].engine.dispose()
            self._storage = None
        self.engine.dispose()

    # --- studies -----------------------------------------------------------------------------------------------

    def open_study(self, study: Study, dataset: DatasetRecord, design: Mapping[str, Any]) -> int:
        """Create a study or go on with it; budget and confirmation may change until it is closed, baselines may join.
        Returns its id.

        Raises InputError where the name belongs to other data or to another question, saying what differs, and where
        the study is :meth:`closed` and its budget or confirmation would change.
        """
        values = {
            "study": to_json(study),
            "question": question_of(study),
            "fingerprint": dataset.fingerprint,
            "design": json.dumps(plain(dict(design)), default=scalar),
        }
        with database_errors(self._url):
            self._writer.dataset(dataset)
            try:
                with self.engine.begin() as connection:
                    connection.execute(
                        sa.insert(StudyRow).values(
                            name=study.name,
                            created_at=time.time(),
                            search_seconds=0.0,
                            confirmation_seconds=0.0,
                            **values,
                        )
                    )
            except IntegrityError:
                values["study"] = to_json(with_baselines_of(check_same(self.engine, study, dataset), study))
                with self.engine.begin() as connection:
                    connection.execute(sa.update(StudyRow).where(StudyRow.name == study.name).values(**values))
            return self.study_id(study.name)

    def closed(self, name: str) -> bool:
        """Whether the held-out groups of a study were scored, so that no trial may be added; False without a study."""
        with database_errors(self._url):
            return is_closed(self.engine, name)

    def holds(self, name: str) -> bool:
        """Whether there is a study of that name."""
        with database_errors(self._url), self.engine.connect() as connection:
            return connection.execute(sa.select(StudyRow.id).where(StudyRow.name == name)).first() is not None

    def study_id(self, name: str) -> int:
        """Id of a study. Raises InputError with the nearest known name."""
        if name not in self._ids:
            with database_errors(self._url), self.engine.connect() as connection:
                found = connection.execute(sa.select(StudyRow.name, StudyRow.id)).all()
            rows = {row.name: row.id for row in found}
            if name not in rows:
                raise InputError(f"there is no study '{name}' in {self.shown}{nearest(name, rows)}")
            self._ids[name] = rows[name]
        return self._ids[name]

    def studies(self, *, inner: bool = False) -> tuple[StudyStatus, ...]:
        """Status of all studies, oldest first; searches in the outer folds of another study with `inner` only."""
        with database_errors(self._url), self.engine.connect() as connection:
            names = connection.execute(sa.select(StudyRow.name).order_by(StudyRow.id)).scalars().all()
        return tuple(self.status(name) for name in names if inner or outer_of(name) not in names)

    def status(self, name: str) -> StudyStatus:
        """Where a study stands; imports neither Optuna nor anything heavy."""
        study_id = self.study_id(name)
        with database_errors(self._url):
            return read_status(self.engine, study_id)

    def record(self, name: str) -> StudyRecord:
        """All the store knows of one study."""
        study_id = self.study_id(name)
        pairs = self.pairs(study_id)
        with database_errors(self._url):
            with self.engine.connect() as connection:
                row = connection.execute(sa.select(StudyRow).where(StudyRow.id == study_id)).one()
                text = connection.execute(
                    sa.select(DatasetRow.record).where(DatasetRow.fingerprint == row.fingerprint)
                ).scalar_one()
            configurations = store_records.read_configurations(self.engine, study_id)
            study = from_json(Study, row.study)
            costs = read_costs(self.engine, study_id) if len(study.objectives) > 1 else None
            return StudyRecord(
                study=study,
                dataset=from_json(DatasetRecord, text),
                created_at=row.created_at,
                trials=store_records.trial_records(self._optuna_trials(name), configurations, costs),
                replicates=store_records.read_replicates(self.engine, study_id, pairs),
                baselines=store_records.read_baselines(self.engine, study_id, pairs),
                confirmation=store_records.read_confirmation(self.engine, study_id, pairs),
                environments=store_records.read_environments(self.engine, study_id),
                design=json.loads(row.design),
                search_seconds=row.search_seconds,
                confirmation_seconds=row.confirmation_seconds,
            )

    def delete(self, name: str) -> None:
        """Remove a study, Optuna's part and searches in its outer folds included.

        Raises InputError while a driver works on it.
        """
        study_id = self.study_id(name)
        inner = [other.name for other in self.studies(inner=True) if outer_of(other.name) == name]
        for one in (name, *inner):  # all of them before any is gone
            with database_errors(self._url):
                busy = store_leases.live(self.engine, self.study_id(one))
            if busy:
                raise InputError(
                    f"study '{one}' is being worked on by process {busy[0].process.split(':')[0]}; stop it first"
                )
        for one in inner:
            self.delete(one)
        with database_errors(self._url):
            storage = self.optuna_storage()
            from spectrosim_search.search.store_optuna import optuna_errors

            with optuna_errors(self._url):
                if name in {s.study_name for s in storage.get_all_studies()}:
                    storage.delete_study(storage.get_study_id_from_name(name))
            with self.engine.begin() as connection:
                connection.execute(sa.delete(StudyRow).where(StudyRow.id == study_id))
                for table, column, users in (
                    (DatasetRow, DatasetRow.fingerprint, (StudyRow.fingerprint,)),
                    (EnvironmentRow, EnvironmentRow.id, (ReplicateRow.environment_id, BaselineFitRow.environment_id)),
                    (ConfigurationRow, ConfigurationRow.id, (ReplicateRow.configuration_id, SlotRow.configuration_id)),
                ):
                    used = sa.union(*(sa.select(user) for user in users))
                    connection.execute(sa.delete(table).where(column.not_in(used)))
        self._ids.pop(name, None)
        self._pairs.pop(study_id, None)
        self._writer.forget()

    # --- what a study gathers ----------------------------------------------------------------------------------

    def pairs(self, study_id: int) -> PairSets:
        """The index arrays of a study's pairs."""
        return self._pairs.setdefault(study_id, PairSets(self.engine, study_id))

    def replicates(
        self, name: str, phase: str | None = None, skip: frozenset[str] = frozenset()
    ) -> tuple[ReplicateRecord, ...]:
        """Stored replicates, in the order of their commits, but those whose key is in `skip`."""
        study_id = self.study_id(name)
        with database_errors(self._url):
            return store_records.read_replicates(self.engine, study_id, self.pairs(study_id), phase=phase, skip=skip)

    def add_replicate(self, name: str, record: ReplicateRecord, environment: EnvironmentRecord) -> bool:
        """Store one replicate in one commit; False where its key was stored before (the first one counts)."""
        study_id = self.study_id(name)
        with database_errors(self._url):
            self._writer.environment(environment)
            return self._writer.replicate(study_id, self.pairs(study_id), record)

    def add_configuration(self, configuration: Configuration) -> None:
        """Store a configuration under its identity."""
        with database_errors(self._url):
            self._writer.configuration(configuration)

    def configuration(self, identity: str) -> Configuration:
        """A configuration by its identity. Raises InputError where it was never stored."""
        with database_errors(self._url), self.engine.connect() as connection:
            text = connection.execute(
                sa.select(ConfigurationRow.record).where(ConfigurationRow.id == identity)
            ).scalar()
        if text is None:
            raise InputError(f"there is no configuration {identity} in {self.shown}")
        return from_json(Configuration, text)

    def configurations(self, name: str) -> dict[str, Configuration]:
        """All configurations of a study by their identities."""
        study_id = self.study_id(name)
        with database_errors(self._url):
            return store_records.read_configurations(self.engine, study_id)

    def set_baseline(self, name: str, record: BaselineRecord) -> None:
        """Store a baseline, in place of an earlier one of that name."""
        study_id = self.study_id(name)
        with database_errors(self._url):
            self._writer.baseline(study_id, self.pairs(study_id), record)

    def set_confirmation(self, name: str, record: ConfirmationRecord) -> None:
        """Store the confirmation, in place of an earlier one."""
        study_id = self.study_id(name)
        with database_errors(self._url):
            self._writer.confirmation(study_id, self.pairs(study_id), record)

    def add_seconds(self, name: str, phase: Literal["search", "confirmation"], seconds: float) -> None:
        """Count wall time towards a study's budget."""
        column = StudyRow.search_seconds if phase == "search" else StudyRow.confirmation_seconds
        study_id = self.study_id(name)
        with database_errors(self._url), self.engine.begin() as connection:
            connection.execute(sa.update(StudyRow).where(StudyRow.id == study_id).values({column: column + seconds}))

    # --- Optuna ------------------------------------------------------------------------------------------------

    def optuna_storage(self) -> BaseStorage:
        """Optuna's storage on the same database."""
        if self._storage is None:
            from spectrosim_search.search.store_optuna import open_storage

            self._storage = open_storage(self._url, read_only=self.read_only)
        return self._storage[1]

    def optuna_study(self, name: str) -> optuna.Study:
        """The Optuna study of that name, created where it is missing and the store is writable."""
        import optuna

        from spectrosim_search.search.store_optuna import create_optuna_study, optuna_errors

        storage = self.optuna_storage()
        sampler = optuna.samplers.RandomSampler(seed=0)  # never asked: asking is the driver's, see driver_trials
        with optuna_errors(self._url):
            if self.read_only:
                return optuna.load_study(study_name=name, storage=storage, sampler=sampler)
            return create_optuna_study(name, storage, sampler, self._objectives(name))

    def _objectives(self, name: str) -> tuple[str, ...]:
        """What a study is searched for; the score alone where there is no such study yet."""
        with database_errors(self._url), self.engine.connect() as connection:
            text = connection.execute(sa.select(StudyRow.study).where(StudyRow.name == name)).scalar()
        return ("score",) if text is None else from_json(Study, text).objectives

    def _optuna_trials(self, name: str) -> list[optuna.trial.FrozenTrial]:
        from spectrosim_search.search.store_optuna import optuna_errors

        if self.read_only and not sa.inspect(self.engine).has_table("trials"):
            return []
        storage = self.optuna_storage()
        with optuna_errors(self._url):
            if name not in {s.study_name for s in storage.get_all_studies()}:
                return []
            return storage.get_all_trials(storage.get_study_id_from_name(name), deepcopy=False)
