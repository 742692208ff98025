"""The end of a study: finalists and presets with fresh seeds, then the conclusion.

With corrected-cv the finalists are scored on the search's folds by models with fresh training seeds, and their scores
are
corrected for the selection over groups. With a hold-out the winner and the presets are trained again on all searched
groups, for the number of epochs that validation chose, and score the held-out groups once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.config.study import Study
from spectrosim_search.search.candidates import (
    Candidate,
    choose_candidates,
    confirm_items,
    held_out_items,
    pick_winner,
)
from spectrosim_search.search.conclusion import conclude
from spectrosim_search.search.documents import load_preset
from spectrosim_search.search.driver_items import run_items
from spectrosim_search.search.embedding_map import embedding_map
from spectrosim_search.search.pareto import further_finalists
from spectrosim_search.search.progress import Listener
from spectrosim_search.search.records import ConfirmationRecord, ReplicateRecord, StudyRecord
from spectrosim_search.search.reference import baseline_record
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench, WorkItem
from spectrosim_search.search.workers.pool import Pool

__all__ = ["confirm"]


def confirm(
    store: Store,
    bench: Workbench,
    pool: Pool,
    say: Callable[[str], None],
    listener: Listener,
    *,
    finish: Callable[[ConfirmationRecord], ConfirmationRecord] | None = None,
) -> None:
    """Train finalists and presets with fresh seeds while the budget lasts, conclude, store the confirmation.

    `finish` may turn it into another before it is stored (nested scoring). What the database holds already is not
    trained again. Raises RunError where no trial or no finalist was completed.
    """
    study = bench.study
    started = time.monotonic()
    record = store.record(study.name)
    presets: dict[str, Configuration] = {name: load_preset(name) for name in study.confirmation.presets}
    candidates = choose_candidates(
        record.trials,
        presets,
        finalists=study.confirmation.finalists,
        seeds=study.confirmation.seeds,
        preset_seeds=study.confirmation.preset_seeds,
        further=further_finalists(record),
    )
    if not any(c.kind == "finalist" for c in candidates):
        raise RunError("no trial climbed the whole ladder: give the study more time (--minutes) or trials (--trials)")
    go_on = _go_on(study, record, started, candidates, bench.design.folds)
    say(f"confirmation: {len(candidates)} configurations with fresh seeds")
    work = confirm_items(candidates, bench)[: _allowed(study, record, len(candidates), bench)]
    _train(work, study, store, pool, go_on, listener)
    finished = [c for c in candidates if len(c.complete_seeds(bench.design.folds)) > 0]
    winner = pick_winner(finished, bench.design.folds)
    if bench.design.hold_out is not None:
        say("the held-out groups are scored once")
        last = [winner, *(c for c in finished if c.kind == "preset")]
        _train(held_out_items(last, bench), study, store, pool, lambda: True, listener)
    search = {
        t.number: [
            r for r in record.replicates if r.phase == "search" and r.configuration_id == t.configuration_id and r.pairs
        ]
        for t in record.trials
        if t.state == "COMPLETE"
    }
    conclusion, references = conclude(bench, finished, search, on_step=say)
    conclusion = replace(conclusion, embedding=embedding_map(bench, winner.configuration))
    for reference in references:
        store.set_baseline(study.name, baseline_record(reference, bench.design.folds))
    store.set_confirmation(study.name, conclusion if finish is None else finish(conclusion))


def _allowed(study: Study, record: StudyRecord, candidates: int, bench: Workbench) -> int | None:
    """Replicates of the confirmation that a budget of replicates leaves; None: any number.

    Never fewer than the smallest number of seeds that a confirmation may be shown with.
    """
    if study.budget.replicates <= 0:
        return None
    asked, folds = study.confirmation, bench.design.folds
    left = study.budget.replicates - sum(r.phase == "search" for r in record.replicates)
    if bench.design.hold_out is not None:  # a seed of the winner and of every preset trains once more
        left = left * folds // (folds + 1)
    return max(left, asked.minimum_seeds * candidates * folds)


def _go_on(
    study: Study, record: StudyRecord, started: float, candidates: Sequence[Candidate], folds: int
) -> Callable[[], bool]:
    """Whether the budget allows one more replicate.

    Below the smallest number of seeds that a confirmation may be shown with, training goes on all the same.
    """
    if study.budget.minutes <= 0:
        return lambda: True
    finalists = [c for c in candidates if c.kind == "finalist"]

    def enough() -> bool:
        return all(len(c.complete_seeds(folds)) >= study.confirmation.minimum_seeds for c in finalists)

    used = sum(s for s in (record.search_seconds, record.confirmation_seconds) if s == s)
    deadline = started + study.budget.minutes * 60 - used
    return lambda: time.monotonic() < deadline or not enough()


def _train(
    work: Sequence[tuple[Candidate, WorkItem]],
    study: Study,
    store: Store,
    pool: Pool,
    go_on: Callable[[], bool],
    listener: Listener,
) -> None:
    """Train what is not in the database yet while the budget lasts; every result is committed as it comes."""
    owners: dict[str, list[Candidate]] = {}  # a preset may be what a trial found as well
    for candidate, item in work:
        owners.setdefault(item.key, []).append(candidate)

    def take(record: ReplicateRecord) -> None:
        for candidate in owners[record.key]:
            candidate.add(record)

    run_items(
        pool,
        [item for _, item in work],
        store,
        take,
        study=study.name,
        go_on=go_on,
        listener=listener,
    )
