"""The front door: prepare a study, plan it, run it to its verdict, read it back."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import Study
from spectrosim_search.search.records import StudyRecord
from spectrosim_search.spectra.spectra_set import SpectraSet

if TYPE_CHECKING:
    from spectrosim_search.search.budget import Usage
    from spectrosim_search.search.progress import Listener
    from spectrosim_search.search.workbench import Workbench
    from spectrosim_search.search.workers.pool import Pool

__all__ = [
    "Prepared",
    "check_writable",
    "default_workers",
    "plan_study",
    "prepare_study",
    "read_study",
    "run_study",
    "start_pool",
]


@dataclass(frozen=True)
class Prepared:
    """A study with its spectra, checked, before anything is written."""

    study: Study
    spectra: SpectraSet


def prepare_study(
    study: str | Path | Study = "transformer",
    *,
    name: str = "",
    data: str = "",
    columns: Mapping[str, str] | None = None,
    set_: Sequence[str] = (),
    vary: Sequence[str] = (),
    spectra: SpectraSet | None = None,
) -> Prepared:
    """Compose a study and read its spectra.

    `study` is a bundled name, a YAML file or a :class:`Study`; `data` a file of spectra with its `columns`; `spectra`
    spectra already at hand. The name in the database is `name`, or the study's with the data's. Where labels can hardly
    be matched the study is judged by AUC over all pairs. Raises InputError for anything wrong.
    """
    from spectrosim_search.search.class_bench import prepared_for
    from spectrosim_search.search.documents import load_study
    from spectrosim_search.search.fitting import fit_space
    from spectrosim_search.search.judging import with_defined_metric
    from spectrosim_search.spectra.load import load

    if isinstance(study, Study):
        composed = study
    else:
        given = {key: value for key, value in (columns or {}).items() if value}
        if data:
            given["path"] = data
        composed = load_study(study, set_=set_, vary=vary, data=given)
    if spectra is None:
        spectra = load(composed.data, need_groups=composed.task != "pretrain")
    if composed.task != "same-batch":
        spectra = prepared_for(composed.task, spectra)
    if composed.data.path:
        spectra = replace(spectra, name=_stem(composed.data.path))
    if not name:
        name = f"{composed.name}-{_stem(composed.data.path)}" if composed.data.path else composed.name
    fitted, left_out = fit_space(replace(composed, name=name), spectra)
    judged, told = with_defined_metric(fitted, spectra) if fitted.task == "same-batch" else (fitted, ())
    return Prepared(judged, replace(spectra, warnings=(*spectra.warnings, *left_out, *told)))


def _stem(path: str) -> str:
    """Name of a data file without its suffixes; ``maldi/spectra.csv.gz`` is named after its folder."""
    stem = Path(path).name.split(".", 1)[0]
    return Path(path).resolve().parent.name if stem == "spectra" else stem


def read_study(name: str, storage: str) -> StudyRecord:
    """Frozen record of a study, with the importance of its parameters. Raises InputError where it does not exist."""
    from spectrosim_search.search.importance import parameter_importance
    from spectrosim_search.search.screening import Screening
    from spectrosim_search.search.store import Store

    with Store(storage, read_only=True) as store:
        record = store.record(name)
        scores = {t.number: t.value for t in record.trials if t.value is not None}
        several = len(record.study.objectives) > 1
        screened = Screening(record.study).is_screened if record.study.screening.trials else None
        importance = parameter_importance(store.optuna_study(name), scores if several else None, screened)
    return replace(record, design={**record.design, "importance": importance})


def plan_study(prepared: Prepared, *, workers: int | None = None) -> dict[str, Any]:
    """What a run would do: cells, replicates, time, memory, and what its design can detect.

    Time comes from training the study's first configuration for two epochs on this machine, its memory from the size
    of the data.
    """
    from spectrosim_search.search.budget import confirmation_replicates
    from spectrosim_search.search.nested import last_study, outer_replicates, searches
    from spectrosim_search.search.plan import costs, expected_replicates, first_configuration, seconds_a_replicate
    from spectrosim_search.search.run_classes import plan_classes
    from spectrosim_search.search.workbench import Workbench

    slots = max(1, default_workers() if workers is None else workers)
    if prepared.study.task != "same-batch":
        return plan_classes(prepared.spectra, prepared.study, slots)
    study, bench = prepared.study, Workbench(prepared.spectra, prepared.study, searchable=False)
    if not bench.design.searchable:
        return _fixed_plan(prepared, bench)
    configuration = first_configuration(study)
    each, memory = seconds_a_replicate(bench, configuration)
    cells = len(bench.cells)
    searched = expected_replicates(study, cells)
    confirmed = confirmation_replicates(study, bench.design.folds)
    if bench.design.outer:
        confirmed = confirmation_replicates(last_study(study), bench.design.folds) * searches(study)
        confirmed += outer_replicates(study)
        searched *= searches(study)
    return {
        "study": study.name,
        "protocol": study.protocol.name,
        "scoring": bench.design.scoring,
        "folds": bench.design.folds,
        **({"searches": searches(study)} if bench.design.outer else {}),
        **costs(
            study,
            cells=cells,
            searched=searched,
            confirmed=confirmed,
            each=each,
            slots=slots,
            memory=memory,
            design=bench.design.summary(),
            warnings=(*prepared.spectra.warnings, *bench.design.warnings),
        ),
    }


def _fixed_plan(prepared: Prepared, bench: Workbench) -> dict[str, Any]:
    """The plan where there are too few groups to search."""
    from spectrosim_search.search.announcement import too_few
    from spectrosim_search.search.reference import reference_names

    return {
        **bench.design.summary(),
        "study": prepared.study.name,
        "scoring": "fixed",
        "trials": 0,
        "fixed methods": reference_names(prepared.study, prepared.spectra),
        "warnings": (too_few(bench), *prepared.spectra.warnings, *bench.design.warnings),
    }


def default_workers() -> int:
    """Processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


def run_study(
    prepared: Prepared,
    *,
    storage: str = "sqlite:///spectrosim.db",
    workers: int | None = None,
    address: str = "",
    gpus_per_trial: float = 0.0,
    confirm: bool = True,
    on_event: Listener | None = None,
    on_note: Callable[[str], None] | None = None,
) -> StudyRecord:
    """Search and confirm; on a study that exists, go on where it stopped.

    Once held-out groups were scored the study is closed: it is concluded again from what is stored, and InputError is
    raised where its budget or confirmation is another.
    With 4 to 7 groups nothing is searched, no worker started: the fixed methods are compared and the record says so.
    Writes to the database at `storage`; what was finished there is never trained again. Returns the study's record.
    Raises InputError for wrong input (nothing is written), RunError where nothing could be confirmed.
    """
    from spectrosim_search.search.announcement import announce
    from spectrosim_search.search.booked_time import BookedTime
    from spectrosim_search.search.budget import Allowance, reserve_for
    from spectrosim_search.search.confirmation import confirm as confirm_study
    from spectrosim_search.search.driver import search
    from spectrosim_search.search.fixed import compare_fixed
    from spectrosim_search.search.front_times import measure_front
    from spectrosim_search.search.lease import LeaseKeeper, refuse_busy
    from spectrosim_search.search.nested import judge, last_study
    from spectrosim_search.search.progress import silent
    from spectrosim_search.search.store import Store
    from spectrosim_search.search.store_engine import locate
    from spectrosim_search.search.store_optuna import optuna_errors
    from spectrosim_search.search.workbench import Workbench

    study, spectra = prepared.study, prepared.spectra
    say = on_note or (lambda text: None)
    if study.task != "same-batch":
        from spectrosim_search.search.run_classes import run_class_study

        pool_of = partial(start_pool, prepared, workers, address, gpus_per_trial)
        run_class_study(spectra, study, storage, pool_of, confirm=confirm, listener=on_event, say=say)
        return read_study(study.name, storage)
    bench = Workbench(spectra, study, searchable=False)
    for line in announce(bench):
        say(line)
    if not bench.design.searchable:
        with closing(start_pool(prepared, 0)) as pool, Store(storage) as store:
            refuse_busy(store, study.name)
            study_id = store.open_study(study, bench.dataset, bench.design.summary())
            with LeaseKeeper(store.engine, study_id):
                compare_fixed(store, bench, pool, say, on_event or silent)
        return read_study(study.name, storage)
    nested = bench.design.scoring == "nested"
    ending = bench
    if nested and confirm:
        again = partial(run_study, storage=storage, workers=workers, address=address, gpus_per_trial=gpus_per_trial)
        _search_outer_folds(bench, storage, partial(again, on_event=on_event), say)
        ending = Workbench(spectra, last_study(study))
    asked = ending.study
    allowance = Allowance(asked.budget)
    if confirm:
        allowance = Allowance(asked.budget, reserve_for(asked, bench.design.folds), _reserve_replicates(ending))
    # Workers first: where they cannot be had, nothing is written.
    # What the database refuses anywhere below is one line, not only what Store itself asks of it.
    with (
        optuna_errors(locate(storage)),
        closing(start_pool(prepared, workers, address, gpus_per_trial)) as pool,
        Store(storage) as store,
    ):
        if store.closed(study.name):
            refuse_busy(store, study.name)
            store.open_study(study, bench.dataset, bench.design.summary())
            say("the held-out groups were scored: nothing is searched any more")
        else:
            outcome = search(store, bench, pool, allowance=allowance, listener=on_event or silent)
            if outcome.reason:
                say(f"search ended: {outcome.reason}")
            if outcome.busy == outcome.busy:  # NaN where nothing was trained
                say(f"workers trained {outcome.busy:.0%} of the search's time after start-up")
        refuse_busy(store, study.name)
        with LeaseKeeper(store.engine, store.study_id(study.name)):  # not the search's: what it left others may take
            measure_front(store, study, spectra)
            if confirm:
                tell = on_event or silent
                finish = partial(judge, store, bench, pool, say=say, listener=tell) if nested else None
                with BookedTime(store, study.name, "confirmation"):
                    confirm_study(store, ending, pool, say, tell, finish=finish)
    return read_study(study.name, storage)


def _search_outer_folds(
    bench: Workbench, storage: str, run: Callable[..., StudyRecord], say: Callable[[str], None]
) -> None:
    """Run the search of every outer fold that has not ended yet."""
    from spectrosim_search.search.lease import LeaseKeeper, refuse_busy
    from spectrosim_search.search.nested import inner_spectra, inner_study, is_finished
    from spectrosim_search.search.store import Store

    with Store(storage) as store:
        refuse_busy(store, bench.study.name)
        study_id = store.open_study(bench.study, bench.dataset, bench.design.summary())  # where the others belong
        store.optuna_study(bench.study.name)
        with LeaseKeeper(store.engine, study_id):
            for fold in range(len(bench.design.outer)):
                spectra, study = inner_spectra(bench.spectra, bench.design, fold), inner_study(bench.study, fold)
                where = f"outer fold {fold + 1} of {len(bench.design.outer)}: "
                if is_finished(store, study):
                    say(f"{where}searched before")
                    continue
                run(Prepared(study, spectra), on_note=lambda text, where=where: say(where + text))
    say("the last search, on all groups")


def start_pool(prepared: Prepared, workers: int | None, address: str = "", gpus_per_trial: float = 0.0) -> Pool:
    """Workers of a study: none of their own (0), that many by Ray, or one a core (None).

    Raises InputError where what is asked for cannot be had.
    """
    if workers == 0:
        from spectrosim_search.search.workers.in_process import InProcessPool

        if address:
            raise InputError("--workers 0 trains in this process, --address joins a cluster: give one of them")
        if gpus_per_trial > 0:
            import torch

            if not torch.cuda.is_available():
                raise InputError(f"--gpus-per-trial {gpus_per_trial:g}: torch sees no GPU on this machine")
        return InProcessPool(prepared.spectra, prepared.study, device="cuda" if gpus_per_trial > 0 else "cpu")
    from spectrosim_search.search.workers.ray_pool import RayPool

    return RayPool(
        prepared.spectra,
        prepared.study,
        workers=default_workers() if workers is None else workers,
        gpus_per_trial=gpus_per_trial,
        address=address,
    )


def _reserve_replicates(bench: Workbench) -> Callable[[Usage], int]:
    """With a budget of replicates, what the confirmation keeps: all it needs, but at most its share."""
    from spectrosim_search.search.budget import confirmation_replicates

    study = bench.study
    kept = min(
        confirmation_replicates(study, bench.design.folds),
        int(study.confirmation.share * study.budget.replicates),
    )
    return lambda usage: kept


def check_writable(path: Path) -> None:
    """Raise InputError where a file cannot be written, before hours are spent on what goes into it."""
    parent = path.parent
    try:
        parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{parent}: no folder that {path.name} could be written to ({error.strerror})") from error
    if path.is_dir() or not os.access(parent, os.W_OK):
        raise InputError(f"{path}: cannot be written; choose another place")
