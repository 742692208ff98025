"""What a confirmation may still train, and training it: the same for every task."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from spectrosim_search.config.study import Study
from spectrosim_search.search.bench import Bench
from spectrosim_search.search.budget import label_replicates
from spectrosim_search.search.candidates import Candidate
from spectrosim_search.search.contenders import Contender
from spectrosim_search.search.driver_items import run_items
from spectrosim_search.search.progress import Listener
from spectrosim_search.search.records import ReplicateRecord, StudyRecord
from spectrosim_search.search.store import Store
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workers.pool import Pool

__all__ = ["allowed", "never", "time_left", "train", "within_budget"]


def allowed(study: Study, record: StudyRecord, candidates: int, bench: Bench, *, held_out: bool) -> int | None:
    """Replicates of the confirmation that a budget of replicates leaves; None: any number.

    Never fewer than the smallest number of seeds that a confirmation may be shown with.
    """
    if study.budget.replicates <= 0:
        return None
    asked, folds = study.confirmation, bench.folds
    left = study.budget.replicates - sum(r.phase == "search" for r in record.replicates)
    left -= label_replicates(asked, folds)
    if held_out:  # a seed of the winner and of every preset trains once more
        left = left * folds // (folds + 1)
    return max(left, asked.minimum_seeds * candidates * folds)


def _no_seconds() -> float:
    return 0.0


def within_budget(
    study: Study,
    record: StudyRecord,
    started: float,
    contenders: Sequence[Contender],
    folds: int,
    later: Callable[[], float] = _no_seconds,
) -> Callable[[], bool]:
    """Whether the budget allows one more replicate of the choice of the winner.

    Below the smallest number of seeds that a confirmation may be shown with, training goes on all the same. `later`:
    seconds to keep for what is trained after the choice.
    """
    if study.budget.minutes <= 0:
        return lambda: True
    finalists = [c for c in contenders if c.kind == "finalist"]

    def enough() -> bool:
        return all(len(c.tried_seeds(folds)) >= study.confirmation.minimum_seeds for c in finalists)

    in_time = time_left(study, record, started, later)
    return lambda: in_time() or not enough()


def time_left(
    study: Study, record: StudyRecord, started: float, later: Callable[[], float] = _no_seconds
) -> Callable[[], bool]:
    """Whether the budget of minutes is not used up but for the seconds to keep for `later`."""
    if study.budget.minutes <= 0:
        return lambda: True
    used = sum(s for s in (record.search_seconds, record.confirmation_seconds) if s == s)
    deadline = started + study.budget.minutes * 60 - used
    return lambda: time.monotonic() < deadline - later()


def never() -> bool:
    """No."""
    return False


def train(
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
