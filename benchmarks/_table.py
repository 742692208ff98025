"""A recorded table: configurations of a study × all its cells × epoch curves, in one SQLite file that grows.

Configurations are drawn from the study's space in a fixed seeded order and trained on all cells one after the other,
nothing pruned, so that the first complete ones are a random sample however early the recording ends.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import optuna
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import Study
from spectrosim_search.search.samplers import trial_seed
from spectrosim_search.search.space import suggest
from spectrosim_search.search.store_codec import from_json, to_json
from spectrosim_search.search.store_question import question_of
from spectrosim_search.search.workers.trainer import Trainer

__all__ = ["Entry", "Recorded", "Table", "cost", "read", "record"]

_TABLES = """
create table if not exists study (id integer primary key check (id = 1), study text, fingerprint text, cells integer);
create table if not exists configuration (number integer primary key, parameters text, identity text);
create table if not exists replicate (
    configuration integer, cell integer, score real, status text, schedule integer, seconds real, curve blob,
    primary key (configuration, cell));
"""


@dataclass(frozen=True, eq=False)
class Recorded:
    """One replicate. `curve` ``(E + 1,)``: mean of the halves' scores after each epoch, epoch 0 first."""

    score: float
    status: str
    schedule: int  # epochs the configuration asked for
    curve: NDArray[np.float32]
    seconds: float

    @property
    def epochs(self) -> int:
        """Epochs trained."""
        return max(1, len(self.curve) - 1)


@dataclass(frozen=True, eq=False)
class Entry:
    """One configuration with all its cells."""

    number: int
    parameters: dict[str, Scalar]
    cells: tuple[Recorded, ...]

    @property
    def score(self) -> float:
        """Mean over all cells: what a confirmation of this configuration gives here."""
        return float(np.mean([c.score for c in self.cells]))


@dataclass(frozen=True, eq=False)
class Table:
    """The complete configurations of a recording."""

    study: Study
    fingerprint: str
    entries: tuple[Entry, ...]

    @property
    def cells(self) -> int:
        """Cells of every configuration."""
        return len(self.entries[0].cells)


def cost(table: Table) -> int:
    """Replicate-epochs that the whole table took."""
    return sum(cell.epochs for entry in table.entries for cell in entry.cells)


def _open(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=60)
    connection.execute("pragma journal_mode=wal")
    connection.executescript(_TABLES)
    return connection


def record(
    path: Path,
    study: Study,
    trainer: Trainer,
    *,
    configurations: int,
    minutes: float,
    share: tuple[int, int] = (0, 1),
    say: Callable[[str], None] = print,
) -> int:
    """Go on with a recording until it has `configurations`, or for `minutes`; returns how many are complete.

    With `share` (i, n) only every n-th configuration from the i-th on is recorded: n processes record side by side.
    Raises InputError where the file holds a recording of another study or of other data.
    """
    bench = trainer.bench
    end = time.monotonic() + 60 * minutes
    with _open(path) as connection:
        _same(connection, study, bench.spectra.fingerprint, len(bench.cells))
        done = set(connection.execute("select configuration, cell from replicate").fetchall())
        for number in range(share[0], configurations, share[1]):
            missing = [cell for cell in range(len(bench.cells)) if (number, cell) not in done]
            if not missing:
                continue
            drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=trial_seed(study.seed, number)))
            trial = drawn.ask()
            configuration = suggest(trial, study)
            connection.execute(
                "insert or ignore into configuration values (?, ?, ?)",
                (number, json.dumps(trial.params), configuration.identity),
            )
            for cell in missing:
                if time.monotonic() >= end:
                    return _complete(connection, len(bench.cells))
                (ended,) = trainer.train([bench.search_item(configuration, number, cell)])
                result = ended.record
                if len(result.curve):
                    curve = np.nanmean(np.nan_to_num(result.curve, nan=0.5), axis=1).astype(np.float32)
                else:
                    curve = np.zeros(0, dtype=np.float32)
                score = result.score if np.isfinite(result.score) else 0.5
                row = (number, cell, score, result.status, configuration.training.epochs, result.total_seconds)
                connection.execute("insert into replicate values (?, ?, ?, ?, ?, ?, ?)", (*row, curve.tobytes()))
                connection.commit()
            say(f"configuration {number}: {len(bench.cells)} cells, the last {result.total_seconds:.1f} s")
        return _complete(connection, len(bench.cells))


def _same(connection: sqlite3.Connection, study: Study, fingerprint: str, cells: int) -> None:
    found = connection.execute("select study, fingerprint from study").fetchone()
    if found is None:
        kept = replace(study, data=replace(study.data, path=""))  # the fingerprint stands for the data
        connection.execute("insert into study values (1, ?, ?, ?)", (to_json(kept), fingerprint, cells))
        connection.commit()
    elif question_of(from_json(Study, found[0])) != question_of(study) or found[1] != fingerprint:
        raise InputError("the table was recorded for another study or other data; name another file with --table")


def _complete(connection: sqlite3.Connection, cells: int) -> int:
    query = "select count(*) from (select 1 from replicate group by configuration having count(*) = ?)"
    return int(connection.execute(query, (cells,)).fetchone()[0])


def read(path: Path) -> Table:
    """Read the complete configurations. Raises InputError where there are none."""
    if not path.is_file():
        raise InputError(f"there is no table {path}: make it with `record`")
    with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        found = connection.execute("select study, fingerprint, cells from study").fetchone()
        rows = connection.execute(
            "select configuration, score, status, schedule, seconds, curve from replicate order by configuration, cell"
        ).fetchall()
        drawn = dict(connection.execute("select number, parameters from configuration").fetchall())
    by_number: dict[int, list[Recorded]] = {}
    for number, score, status, schedule, seconds, curve in rows:
        kept = Recorded(score, status, schedule, np.frombuffer(curve, dtype=np.float32), seconds)
        by_number.setdefault(number, []).append(kept)
    entries = tuple(
        Entry(number, json.loads(drawn[number]), tuple(cells))
        for number, cells in by_number.items()
        if found and len(cells) == found[2]
    )
    if not entries:
        raise InputError(f"the table {path} has no complete configuration yet: go on with `record`")
    return Table(from_json(Study, found[0]), found[1], entries)
