"""The papers' tables beside ours: the printed figure, ours under the paper's way of splitting, ours on new batches.

Tables of pairs are done here, those that name a class in :mod:`spectrosim_search.search.reproduce_classes`.

Rows, references and trainings are pieces of work like those of any study: they run on the same workers, are stored one
by one under one name in the study database, and nothing that ended is done again. What a table printed is cited data of
:mod:`spectrosim_search.search.published`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

from spectrosim_search.baselines import title
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import InputError, nearest
from spectrosim_search.protocol.leakage import expected
from spectrosim_search.search.announcement import announce
from spectrosim_search.search.documents import load_preset
from spectrosim_search.search.lease import LeaseKeeper, refuse_busy
from spectrosim_search.search.progress import Listener, silent
from spectrosim_search.search.protocols import ProtocolName, ProtocolScore, score_repeats, study_under
from spectrosim_search.search.published._class_table import ClassTable
from spectrosim_search.search.published._table import Figure, Row, Table
from spectrosim_search.search.records import DatasetRecord
from spectrosim_search.search.reference import reference_names
from spectrosim_search.search.reproduce_classes import (
    ClassPrepared,
    ClassReproduction,
    prepare_class_table,
    reproduce_classes,
)
from spectrosim_search.search.reproduce_runs import STOPPED, STOPPED_THRESHOLD, Runs, score_models, score_references
from spectrosim_search.search.run import Prepared, prepare_study, start_pool
from spectrosim_search.search.space import build_configuration
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench

__all__ = [
    "COLUMNS",
    "ReproducedRow",
    "Reproduction",
    "TablePrepared",
    "load_table",
    "prepare_table",
    "reproduce",
    "table_names",
]

FAMILY = "search.published"
REFERENCES = ("union-find", "cosine", "linear-metric")
COMPARED: tuple[ProtocolName, ...] = ("random-pairs", "batch-disjoint")
COLUMNS = ("random-pairs", STOPPED, STOPPED_THRESHOLD, "batch-disjoint")

Kind = Literal["reference", "classical", "binary network", "contrastive"]


@dataclass(frozen=True)
class TablePrepared:
    """A table with its spectra, the rows asked for and their configurations, checked before anything is written."""

    name: str
    table: Table
    rows: tuple[Row, ...]
    prepared: Prepared
    configurations: Mapping[str, Configuration]  # by row, of those that are no baseline


@dataclass(frozen=True)
class ReproducedRow:
    """One method. figure: what the paper printed, None of a reference row.

    scores: by the names of `COLUMNS`; those of a configuration alone have the two in which test pairs stop it. Every
    one but `batch-disjoint` leaks.
    """

    name: str
    title: str
    kind: Kind
    figure: Figure | None
    scores: Mapping[str, ProtocolScore]
    note: str = ""


@dataclass(frozen=True)
class Reproduction:
    """A printed table beside ours; `expected` is what the union-find should score under each protocol."""

    name: str
    study: str  # in the database
    table: Table
    dataset: DatasetRecord
    seeds: int
    folds: int  # under batch-disjoint
    expected: Mapping[str, float]
    rows: tuple[ReproducedRow, ...]
    warnings: tuple[str, ...] = ()

    def score(self, row: str, column: str, metric: str = "balanced_accuracy") -> float:
        """One number; NaN where a row has none. Raises StopIteration for an unknown row."""
        scores = next(r.scores for r in self.rows if r.name == row)
        return scores[column].metrics[metric].value if column in scores else math.nan


def table_names() -> tuple[str, ...]:
    """Names of the tables of scores."""
    return registry.names(FAMILY)


def load_table(name: str) -> Table | ClassTable:
    """A printed table. Raises InputError with the nearest known name."""
    if name not in table_names():
        raise InputError(f"unknown table '{name}'{nearest(name, table_names())}")
    table: Table | ClassTable = registry.load(FAMILY, name).TABLE
    return table


def prepare_table(
    name: str,
    *,
    rows: Sequence[str] = (),
    study: str = "",
    data: str = "",
    columns: Mapping[str, str] | None = None,
    set_: Sequence[str] = (),
) -> TablePrepared | ClassPrepared:
    """Read a table, the spectra and the configurations of its rows (all, or those named).

    study: name in the database; empty: the table's with the data's. `set_` fixes values in what the table's rows start
    from, before those of the table itself; presets stay as they are. Raises InputError for anything wrong.
    """
    table = load_table(name)
    if isinstance(table, ClassTable):
        return prepare_class_table(name, table, rows=rows, study=study, data=data, columns=columns, set_=set_)
    known = [row.name for row in table.rows]
    for asked in rows:
        if asked not in known:
            raise InputError(f"table {name} has no row '{asked}'{nearest(asked, known)}")
    chosen = tuple(row for row in table.rows if not rows or row.name in rows)
    baselines = dict.fromkeys((*REFERENCES, *(row.baseline for row in chosen if row.baseline)))
    given = {text.partition("=")[0].strip() for text in set_}
    fixed = ["metric=auc", *([f"protocol.folds={table.folds}"] if table.folds else []), *table.settings]
    kept = [text for text in fixed if text.partition("=")[0] not in given]
    found = prepare_study(table.study, data=data, columns=columns, set_=[*kept, *set_])
    named = replace(
        found.study,
        name=study or name + found.study.name.removeprefix(table.study),
        baselines=tuple(baselines),
    )
    configurations = {
        row.name: load_preset(row.preset) if row.preset else build_configuration(named, dict(row.values))
        for row in chosen
        if not row.baseline
    }
    return TablePrepared(name, table, chosen, Prepared(named, found.spectra), configurations)


def reproduce(
    asked: TablePrepared | ClassPrepared,
    *,
    storage: str = "sqlite:///spectrosim.db",
    seeds: int = 3,
    workers: int | None = None,
    on_event: Listener = silent,
    on_note: Callable[[str], None] = lambda text: None,
) -> Reproduction | ClassReproduction:
    """Score every row of a table of pairs under `COMPARED`, `seeds` times with splits and training drawn anew; of a
    table that names a class as :func:`reproduce_classes` does.

    Where the paper stopped on test pairs, configurations are trained once more that way under `random-pairs`. Raises
    InputError for wrong input (nothing is written) and what :func:`make_design` raises.
    """
    if isinstance(asked, ClassPrepared):
        return reproduce_classes(
            asked, storage=storage, seeds=seeds, workers=workers, on_event=on_event, on_note=on_note
        )
    if seeds < 1:
        raise InputError(f"{seeds} seeds: at least one is needed")
    spectra, study, table = asked.prepared.spectra, asked.prepared.study, asked.table
    benches = {p: Workbench(spectra, study_under(study, p, 0, 0, table.pair_split)) for p in COMPARED}
    for line in announce(benches["batch-disjoint"]):
        on_note(line)
    found: Runs = {}
    with closing(start_pool(asked.prepared, workers)) as pool, Store(storage) as store:
        bench = benches["batch-disjoint"]
        refuse_busy(store, study.name)
        study_id = store.open_study(study, bench.dataset, bench.design.summary())
        store.optuna_study(study.name)  # empty: whoever reads a study finds one
        with LeaseKeeper(store.engine, study_id):
            for seed in range(seeds):
                for protocol in COMPARED:
                    on_note(f"seed {seed + 1} of {seeds}: {protocol}")
                    under = study_under(study, protocol, seed, 0, table.pair_split)
                    bench = Workbench(spectra, under) if seed else benches[protocol]
                    score_references(store, bench, pool, found, on_event)
                    stops = table.stopped_on_test and protocol == "random-pairs"
                    score_models(store, bench, pool, asked.configurations, found, on_event, stop_on_test=stops)
    designs = {p: b.design for p, b in benches.items()}
    units = designs["batch-disjoint"].units
    scores: dict[str, dict[str, ProtocolScore]] = {}
    for (column, method), repeats in found.items():
        protocol = "batch-disjoint" if column == "batch-disjoint" else "random-pairs"
        scores.setdefault(method, {})[column] = score_repeats(protocol, method, repeats, units)
    return Reproduction(
        name=asked.name,
        study=study.name,
        table=table,
        dataset=bench.dataset,
        seeds=seeds,
        folds=designs["batch-disjoint"].folds,
        expected={p: expected(d, held_out=d.hold_out is not None) for p, d in designs.items()},
        rows=(*_references(asked, scores), *_rows(asked, scores)),
        warnings=tuple(dict.fromkeys((*spectra.warnings, *(w for d in designs.values() for w in d.warnings)))),
    )


def _references(asked: TablePrepared, scores: Mapping[str, dict[str, ProtocolScore]]) -> list[ReproducedRow]:
    own = {row.baseline for row in asked.rows}
    names = [n for n in reference_names(asked.prepared.study, asked.prepared.spectra) if n not in own]
    return [ReproducedRow(n, title(n), "reference", None, scores[n]) for n in names]


def _rows(asked: TablePrepared, scores: Mapping[str, dict[str, ProtocolScore]]) -> list[ReproducedRow]:
    return [
        ReproducedRow(row.name, row.title, row.kind, row.figure, scores[row.baseline or row.name], row.note)
        for row in asked.rows
    ]
