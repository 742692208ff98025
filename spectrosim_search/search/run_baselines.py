"""The front door of baselines: compare them on their own, or set more of them beside a study that was searched."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from spectrosim_search.baselines import title
from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import Study
from spectrosim_search.search.announcement import announce
from spectrosim_search.search.booked_time import BookedTime
from spectrosim_search.search.class_bench import refuse_classes
from spectrosim_search.search.confirmation import Extra, confirm
from spectrosim_search.search.documents.bundled import bundled_names
from spectrosim_search.search.fixed import compare_fixed
from spectrosim_search.search.lease import LeaseKeeper, refuse_busy
from spectrosim_search.search.nested import inner_spectra, inner_study, judge, last_study
from spectrosim_search.search.progress import Listener, silent
from spectrosim_search.search.records import StudyRecord
from spectrosim_search.search.run import Prepared, prepare_study, read_study, start_pool
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_baselines import read_fits, stored_study
from spectrosim_search.search.store_codec import from_json, to_json
from spectrosim_search.search.store_question import differences, question_of, with_baselines_of
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.pool import Pool

__all__ = ["Compared", "compare_baselines", "prepare_baselines"]


@dataclass(frozen=True)
class Compared:
    """A study with its baselines, and the seconds that the fits of each took."""

    record: StudyRecord
    seconds: dict[str, float]


def prepare_baselines(
    study: str,
    *,
    storage: str,
    names: Sequence[str] = (),
    name: str = "",
    data: str = "",
    columns: Mapping[str, str] | None = None,
    set_: Sequence[str] = (),
) -> Prepared:
    """As :func:`prepare_study`; `study` may also name one in the database, whose settings then stand.

    `names` takes the place of the study's own baselines. Raises InputError for anything wrong.
    """
    stored = None if name or study in bundled_names("studies") or Path(study).exists() else _find(storage, study)
    if stored is None:
        chosen = [f"baselines=[{', '.join(names)}]"] if names else []
        return prepare_study(study, name=name, data=data, columns=columns, set_=[*set_, *chosen])
    if set_:
        raise InputError(f"study '{study}' is in the database and its settings stand: leave --set out")
    given: dict[str, Any] = {key: value for key, value in (columns or {}).items() if value} | (
        {"path": data} if data else {}
    )
    taken = replace(stored, data=replace(stored.data, **given), baselines=tuple(names) or stored.baselines)
    return prepare_study(taken, name=stored.name)


def _find(storage: str, name: str) -> Study | None:
    try:
        with Store(storage, read_only=True) as store:
            return stored_study(store, name)
    except InputError:  # no such database: whoever writes there says what is wrong with it
        return None


def compare_baselines(
    prepared: Prepared,
    *,
    storage: str = "sqlite:///spectrosim.db",
    seeds: int = 30,
    workers: int | None = None,
    minutes: float = 0.0,
    on_event: Listener | None = None,
    on_note: Callable[[str], None] | None = None,
) -> Compared:
    """Score baselines under the study's splits, halves, seeds and metric; on a study that exists, add them to it.

    Where trials are confirmed, the confirmation is concluded again
    over all baselines, with the models as they were trained; where none are, the fixed methods are compared among
    themselves. With nested scoring they join the search of every outer fold, so that each chooses the best of all.
    `seeds`: of methods that draw. `minutes` 0: no limit; whatever is stored is not fitted again. Raises
    InputError for wrong input (nothing is written) and for a study whose trials are not confirmed yet.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds: at least one is needed")
    spectra, say, listener = prepared.spectra, on_note or (lambda _: None), on_event or silent
    asked = prepared.study
    refuse_classes(asked, "baselines")
    for name in asked.baselines:
        title(name)
    Workbench(spectra, asked, searchable=False)  # what cannot be judged at all is refused before anything is written
    deadline = time.monotonic() + minutes * 60 if minutes > 0 else float("inf")
    extra = Extra(seeds, lambda: time.monotonic() < deadline)
    spent: dict[str, float] = {}
    with Store(storage) as store:
        study = _joined(stored_study(store, asked.name), asked)
        bench = Workbench(spectra, study, searchable=False)
        for line in announce(bench):
            say(line)
        refuse_busy(store, study.name)
        study_id = store.open_study(study, bench.dataset, bench.design.summary())
        record = store.record(study.name)
        if record.trials and (record.confirmation is None or record.confirmation.scoring == "fixed"):
            raise InputError(
                f"study '{study.name}' has trials but no confirmation yet: run it to its end first; the baselines "
                "named here join it then"
            )
        if record.trials:
            again = partial(compare_baselines, storage=storage, seeds=seeds, workers=workers, on_event=on_event)
            _join_outer_folds(bench, again, deadline, say, spent)
        with (
            closing(start_pool(Prepared(study, spectra), workers)) as pool,
            LeaseKeeper(store.engine, study_id),
        ):
            _compare(store, bench, pool, extra, say, listener, searched=bool(record.trials))
        for fit in read_fits(store, study.name).values():
            spent[fit.baseline] = spent.get(fit.baseline, 0.0) + fit.seconds
    return Compared(read_study(study.name, storage), spent)


def _joined(stored: Study | None, asked: Study) -> Study:
    """The study as it was last run, with the baselines asked for; the one asked for where there is none."""
    if stored is None:
        return asked
    read = from_json(Study, to_json(asked))  # a whole number where another is meant is the same when it is read back
    if question_of(stored) != question_of(read):
        raise InputError(
            f"study '{asked.name}' asks another question: {differences(stored, asked)}; give it another --name"
        )
    return with_baselines_of(stored, replace(stored, baselines=asked.baselines))


def _join_outer_folds(
    bench: Workbench,
    compare: Callable[..., Compared],
    deadline: float,
    say: Callable[[str], None],
    spent: dict[str, float],
) -> None:
    """With nested scoring: let the study's baselines join the search of every outer fold; adds to the time `spent`."""
    for fold in range(len(bench.design.outer)):
        where = f"outer fold {fold + 1} of {len(bench.design.outer)}: "
        minutes = 0.0 if math.isinf(deadline) else max(1e-9, (deadline - time.monotonic()) / 60)
        inner = Prepared(inner_study(bench.study, fold), inner_spectra(bench.spectra, bench.design, fold))
        found = compare(inner, minutes=minutes, on_note=lambda text, where=where: say(where + text))
        for method, seconds in found.seconds.items():
            spent[method] = spent.get(method, 0.0) + seconds


def _compare(
    store: Store,
    bench: Workbench,
    pool: Pool,
    extra: Extra,
    say: Callable[[str], None],
    listener: Listener,
    *,
    searched: bool,
) -> None:
    if not searched:
        compare_fixed(store, bench, pool, say, listener, drawn_seeds=extra.seeds, go_on=extra.go_on)
        return
    ending, finish = bench, None
    if bench.design.outer:
        ending = Workbench(bench.spectra, last_study(bench.study))
        finish = partial(judge, store, bench, pool, say=say, listener=listener)
    with BookedTime(store, bench.study.name, "confirmation"):
        confirm(store, ending, pool, say, listener, baselines=extra, finish=finish)
