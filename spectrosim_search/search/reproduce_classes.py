"""The papers' tables of tasks that name a class: printed, ours on the paper's folds, ours on folds that cut nothing.

Where the data have nothing that folds could cut (no groups, no near-duplicates) both are the same and one column stands
for them. Fits and trainings are stored one by one, as those of the tables of pairs are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import InputError, nearest
from spectrosim_search.search.announcement import announce
from spectrosim_search.search.class_bench import ClassBench, program_module
from spectrosim_search.search.lease import LeaseKeeper, refuse_busy
from spectrosim_search.search.progress import Listener, silent
from spectrosim_search.search.published._class_table import ClassRow, ClassTable, Variant
from spectrosim_search.search.records import DatasetRecord
from spectrosim_search.search.reproduce_class_runs import (
    COLUMNS,
    Column,
    Named,
    run_configurations,
    run_references,
    under,
)
from spectrosim_search.search.reproduce_class_scores import (
    ReproducedClassRow,
    ReproducedContrast,
    column_score,
    contrast_score,
)
from spectrosim_search.search.run import Prepared, prepare_study, start_pool
from spectrosim_search.search.space import build_configuration
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_baselines import read_fits
from spectrosim_search.search.workers.pool import Pool

__all__ = [
    "ClassPrepared",
    "ClassReproduction",
    "prepare_class_table",
    "reproduce_classes",
]


@dataclass(frozen=True)
class ClassPrepared:
    """A table with its spectra and the rows asked for, checked before anything is written."""

    name: str
    table: ClassTable
    rows: tuple[ClassRow, ...]
    prepared: Prepared
    configurations: Mapping[str, Configuration]  # by row, of those that are no baseline
    references: tuple[ClassRow, ...]


@dataclass(frozen=True)
class ClassReproduction:
    """A printed table beside ours. `leaks`: whether the data have something that plain folds cut."""

    name: str
    study: str  # in the database
    table: ClassTable
    dataset: DatasetRecord
    seeds: int
    folds: int
    units: str  # what intervals are over, with their number
    leaks: bool
    rows: tuple[ReproducedClassRow, ...]
    contrasts: tuple[ReproducedContrast, ...]
    warnings: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """Columns of ours."""
        return COLUMNS if self.leaks else ("disjoint",)

    def score(self, row: str, column: Column, metric: str = "accuracy") -> float:
        """One number; NaN where a row has none. Raises StopIteration for an unknown row."""
        scores = next(r.scores for r in self.rows if r.row.name == row)
        found = scores[column].metrics.get(metric) if column in scores else None
        return float("nan") if found is None else found.value


def prepare_class_table(
    name: str,
    table: ClassTable,
    *,
    rows: Sequence[str] = (),
    study: str = "",
    data: str = "",
    columns: Mapping[str, str] | None = None,
    set_: Sequence[str] = (),
) -> ClassPrepared:
    """Read the spectra and build the configurations of the rows (all, or those named).

    study, `set_`: as of :func:`spectrosim_search.search.reproduce.prepare_table`. Raises InputError for anything wrong.
    """
    known = [row.name for row in table.rows]
    for asked in rows:
        if asked not in known:
            raise InputError(f"table {name} has no row '{asked}'{nearest(asked, known)}")
    chosen = tuple(row for row in table.rows if not rows or row.name in rows)
    run = [row for row in chosen if not row.elsewhere]
    if not run:
        raise InputError(f"row '{chosen[0].name}' of table {name} is not run here: {chosen[0].elsewhere}")
    given = {text.partition("=")[0].strip() for text in set_}
    own = [s for s in table.settings if s.partition("=")[0] not in given and not (data and s.startswith("data."))]
    found = prepare_study(table.study, data=data, columns=columns, set_=[*own, *set_])
    references = _references(table, run, found.study.task)
    named = replace(
        found.study,
        name=study or name + found.study.name.removeprefix(table.study),
        baselines=tuple(dict.fromkeys(row.baseline for row in (*references, *run) if row.baseline)),
    )
    configurations = {
        row.name: build_configuration(under(named, "disjoint", 0, table.variant(row.variant)), dict(row.values))
        for row in run
        if not row.baseline
    }
    return ClassPrepared(name, table, chosen, Prepared(named, found.spectra), configurations, references)


def _references(table: ClassTable, run: Sequence[ClassRow], task: str) -> tuple[ClassRow, ...]:
    """Reference rows beside every variant that is run, but those that are rows themselves."""
    family = program_module(task).BASELINES
    out = []
    for variant in dict.fromkeys(row.variant for row in run):
        rows = {row.baseline for row in run if row.variant == variant}
        for name in table.references:
            if name not in rows:
                title = str(registry.load(family, name).TITLE)
                words = table.variant(variant).title
                full = f"{name}-{variant}" if variant else name
                out.append(ClassRow(full, f"{title}, {words}" if words else title, baseline=name, variant=variant))
    return tuple(out)


def reproduce_classes(
    asked: ClassPrepared,
    *,
    storage: str = "sqlite:///spectrosim.db",
    seeds: int = 3,
    workers: int | None = None,
    on_event: Listener = silent,
    on_note: Callable[[str], None] = lambda text: None,
) -> ClassReproduction:
    """Score every row in every column, `seeds` times with folds and training drawn anew.

    Raises InputError for wrong input (nothing is written) and what :func:`make_class_design` raises.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds: at least one is needed")
    spectra, study, table = asked.prepared.spectra, asked.prepared.study, asked.table
    first = {c: ClassBench(spectra, under(study, c, 0, Variant("", "")), searchable=False) for c in COLUMNS}
    design, bench = first["disjoint"].design, first["disjoint"]
    leaks = int(design.blocks.max()) + 1 < int((design.blocks >= 0).sum())  # a block holds several spectra
    leaking: dict[Column, bool] = {"plain": True, "disjoint": False} if leaks else {"disjoint": False}
    for line in announce(bench):
        on_note(line)
    with closing(start_pool(asked.prepared, workers)) as pool, Store(storage) as store:
        refuse_busy(store, study.name)
        study_id = store.open_study(study, bench.dataset, bench.summary())
        store.optuna_study(study.name)  # empty: whoever reads a study finds one
        with LeaseKeeper(store.engine, study_id):
            found = _run(asked, store, pool, tuple(leaking), seeds, on_event, on_note)
    rows = {row.name: row for row in (*asked.references, *asked.rows)}
    kinds = {row.name: row.kind for row in asked.rows}
    scored = {key: column_score(named, design.units, leaks=leaking[key[0]]) for key, named in found.items()}
    return ClassReproduction(
        name=asked.name,
        study=study.name,
        table=table,
        dataset=bench.dataset,
        seeds=seeds,
        folds=bench.folds,
        units=f"{int(design.units.max()) + 1} {design.unit_plural}",
        leaks=leaks,
        rows=tuple(
            ReproducedClassRow(
                row, kinds.get(name, "reference"), {c: scored[c, name] for c in leaking if (c, name) in scored}
            )
            for name, row in rows.items()
        ),
        contrasts=tuple(
            contrast_score(c, table.metrics[0], rows, found, leaking, design.units)
            for c in table.contrasts
            if all(("disjoint", name) in found for name in (c.row, c.beside))
        ),
        warnings=tuple(dict.fromkeys((*spectra.warnings, *(w for c in leaking for w in first[c].design.warnings)))),
    )


def _run(
    asked: ClassPrepared,
    store: Store,
    pool: Pool,
    columns: Sequence[Column],
    seeds: int,
    on_event: Listener,
    on_note: Callable[[str], None],
) -> dict[tuple[Column, str], Named]:
    """What every row named in every column, seed after seed and variant after variant."""
    table, study = asked.table, asked.prepared.study
    rows = [*asked.references, *(row for row in asked.rows if not row.elsewhere)]
    fits = read_fits(store, study.name)
    found: dict[tuple[Column, str], Named] = {}
    for seed in range(seeds):
        for column in columns:
            on_note(f"seed {seed + 1} of {seeds}: {getattr(table, column)}")
            for name in dict.fromkeys(row.variant for row in rows):
                variant, some = table.variant(name), [row for row in rows if row.variant == name]
                bench = ClassBench(asked.prepared.spectra, under(study, column, seed, variant), searchable=False)
                own = {r.name: asked.configurations[r.name] for r in some if not r.baseline}
                baselines = list(dict.fromkeys(row.baseline for row in some if row.baseline))
                trained = run_configurations(store, bench, pool, own, on_event)
                fitted = run_references(store, bench, pool, baselines, variant, fits, on_event)
                for row in some:
                    named = found.setdefault((column, row.name), Named())
                    named.add(fitted[row.baseline] if row.baseline else trained[row.name])
    return found
