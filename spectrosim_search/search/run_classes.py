"""Planning and running a study whose task names a class."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import Any

from spectrosim_search.config.study import Study
from spectrosim_search.search.announcement import announce
from spectrosim_search.search.booked_time import BookedTime
from spectrosim_search.search.budget import Allowance, Usage, confirmation_replicates, reserve_for
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.class_confirmation import confirm_classes
from spectrosim_search.search.driver import search
from spectrosim_search.search.lease import LeaseKeeper, refuse_busy
from spectrosim_search.search.plan import PROCESS_MIB, costs, expected_replicates, first_configuration
from spectrosim_search.search.progress import Listener, silent
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_engine import locate
from spectrosim_search.search.store_optuna import optuna_errors
from spectrosim_search.search.workers.pool import Pool
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["plan_classes", "run_class_study"]


def run_class_study(
    spectra: SpectraSet,
    study: Study,
    storage: str,
    pool_of: Callable[[], Pool],
    *,
    confirm: bool,
    listener: Listener | None,
    say: Callable[[str], None],
) -> None:
    """Search and confirm; on a study that exists, go on where it stopped. Raises as `run_study` does."""
    bench = ClassBench(spectra, study)
    for line in announce(bench):
        say(line)
    tell = listener or silent
    allowance = Allowance(study.budget)
    if confirm:
        kept = min(confirmation_replicates(study, bench.folds), int(study.confirmation.share * study.budget.replicates))

        def replicates(usage: Usage) -> int:
            del usage
            return kept

        allowance = Allowance(study.budget, reserve_for(study, bench.folds), replicates)
    # Workers first: where they cannot be had, nothing is written.
    with optuna_errors(locate(storage)), closing(pool_of()) as pool, Store(storage) as store:
        if store.closed(study.name):
            refuse_busy(store, study.name)
            store.open_study(study, bench.dataset, bench.summary())
            say("the held-out spectra were scored: nothing is searched any more")
        else:
            outcome = search(store, bench, pool, allowance=allowance, listener=tell)
            if outcome.reason:
                say(f"search ended: {outcome.reason}")
            if outcome.busy == outcome.busy:  # NaN where nothing was trained
                say(f"workers trained {outcome.busy:.0%} of the search's time after start-up")
        if confirm:
            refuse_busy(store, study.name)
            with (
                LeaseKeeper(store.engine, store.study_id(study.name)),
                BookedTime(store, study.name, "confirmation"),
            ):
                confirm_classes(store, bench, pool, say, tell)


def plan_classes(spectra: SpectraSet, study: Study, slots: int) -> dict[str, Any]:
    """What a run would do; time comes from one run of its first configuration on this machine."""
    from spectrosim_search.learning.engine import single_thread

    bench = ClassBench(spectra, study)
    configuration = first_configuration(study)
    task = bench.task(bench.search_item(configuration, None, 0))
    begun = time.perf_counter()
    with single_thread():
        bench.program.run(task)
    each = time.perf_counter() - begun
    return {
        "study": study.name,
        "task": study.task,
        "protocol": study.protocol.name,
        **costs(
            study,
            cells=len(bench.cells),
            searched=expected_replicates(study, len(bench.cells)),
            confirmed=confirmation_replicates(study, bench.folds),
            each=each,
            slots=slots,
            memory=PROCESS_MIB + 2 * spectra.intensities.nbytes // 2**20,
            design=bench.summary(),
            warnings=(*spectra.warnings, *bench.design.warnings),
        ),
    }
