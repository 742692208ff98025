"""Running baselines on a pool: what is stored is not fitted again, what ends is stored at once."""

from __future__ import annotations

import statistics
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from spectrosim_search.baselines import combines
from spectrosim_search.search.baseline_items import BaselineItem, baseline_items, judged_pairs, locate_pairs
from spectrosim_search.search.driver_interrupt import GRACE_SECONDS
from spectrosim_search.search.driver_items import work_through
from spectrosim_search.search.progress import BaselineDone, Listener, silent
from spectrosim_search.search.records import EVERY_SEED, BaselineFit
from spectrosim_search.search.reference import ReferenceScores, reference_scores
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_baselines import add_fit, read_fits
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.environment import environment
from spectrosim_search.search.workers.pool import Finished, Fitted, Pool

__all__ = ["fit_items", "score_baselines"]


def score_baselines(
    store: Store,
    bench: Workbench,
    pool: Pool,
    names: Sequence[str],
    seeds: Sequence[int],
    *,
    hold_out: bool,
    drawn_seeds: int | None = None,
    least_seeds: int = 0,
    go_on: Callable[[], bool] = lambda: True,
    listener: Listener = silent,
    grace: float = GRACE_SECONDS,
) -> list[ReferenceScores]:
    """Score baselines on the halves of every (seed, fold) cell, and on the held-out pairs where `hold_out` is set.

    A method that draws is fitted for the first `drawn_seeds` of the seeds (None: all). `go_on` is asked before each
    fit, but for methods that draw nothing and the first `least_seeds` seeds of the others where `least_seeds` is above
    0. What is not finished, or could not be fitted, is a row with its reason. Raises Interrupted on Ctrl-C.
    """
    drawn = list(seeds)[:drawn_seeds]
    items = baseline_items(bench, names, seeds, drawn, hold_out=hold_out)
    first = {EVERY_SEED, *drawn[:least_seeds]} if least_seeds else set()
    sure = [item for item in items if item.seed in first]
    rest = [item for item in items if item.seed not in first]
    fits = _usable(store, bench, items)
    for part, proceed in ((sure, lambda: True), (rest, go_on)):
        fit_items(store, bench.study.name, pool, part, fits, proceed, listener, total=len(items), grace=grace)
    return [reference_scores(name, bench, fits.values(), seeds, drawn, hold_out=hold_out) for name in names]


def _usable(store: Store, bench: Workbench, items: Iterable[BaselineItem]) -> dict[str, BaselineFit]:
    """Stored fits that need no repetition: they scored all that is asked for now, or never will."""
    stored = read_fits(store, bench.study.name)
    out: dict[str, BaselineFit] = {}
    for item in items:
        fit = stored.get(item.key)
        if fit is None or fit.status == "failed":
            continue
        scored = fit.status == "finished"
        if not scored or all(locate_pairs(fit.pairs, p) is not None for p in judged_pairs(bench, item)):
            out[item.key] = fit
    return out


def fit_items(
    store: Store,
    study: str,
    pool: Pool,
    items: Sequence[BaselineItem],
    fits: dict[str, BaselineFit],
    go_on: Callable[[], bool],
    listener: Listener,
    *,
    total: int,
    grace: float = GRACE_SECONDS,
) -> None:
    """Fit what is not among `fits`, which takes in what ends; everything is stored as it ends. total: of all parts."""
    waiting = deque(item for item in items if item.key not in fits)
    asked = {item.key: item for item in waiting}

    def take(event: Finished | Fitted) -> None:
        if isinstance(event, Fitted):
            fit = event.record
            add_fit(store, study, fit, event.environment)
            fits[fit.key] = fit
            left = [item.baseline for key, item in asked.items() if key not in fits]
            seconds = _remaining(left, fits) / pool.slots
            listener(BaselineDone(fit.baseline, fit.fold, fit.seed, fit.status, fit.seconds, len(fits), total, seconds))

    lost = work_through(
        pool, waiting, take, _family, lambda item: (item,), study=study, go_on=go_on, listener=listener, grace=grace
    )
    for key, reason in lost.items():
        fits[key] = _killed(asked[key], reason)
        add_fit(store, study, fits[key], environment())


def _family(waiting: deque[BaselineItem], capacity: int) -> list[BaselineItem]:
    """What one worker does at a time, one fit after the other: the next and, unless `capacity` is 0, those that share
    work with it, what combines them last, so that the time of each is its own."""
    first = waiting.popleft()
    if not first.family or capacity == 0:
        return [first]
    others = [item for item in waiting if item.shares(first)]
    for item in others:
        waiting.remove(item)
    return sorted([first, *others], key=lambda item: combines(item.baseline))


def _remaining(left: Sequence[str], fits: Mapping[str, BaselineFit]) -> float:
    """Seconds of work that are left: each fit as long as its method took so far, or as the mean of all."""
    times: dict[str, list[float]] = {}
    for fit in fits.values():
        times.setdefault(fit.baseline, []).append(fit.seconds)
    usual = statistics.fmean(s for own in times.values() for s in own)
    return sum(statistics.fmean(times[name]) if name in times else usual for name in left)


def _killed(item: BaselineItem, reason: str) -> BaselineFit:
    """The record of a fit that killed two workers."""
    return BaselineFit(
        key=item.key,
        baseline=item.baseline,
        fold=item.fold,
        seed=item.seed,
        status="failed",
        reason=f"killed two workers: {reason}",
        settings="",
        pairs=(),
        worker="",
        started_at=0.0,
        seconds=0.0,
        environment_id=environment().id,
    )
