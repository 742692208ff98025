"""The driver's front door: search a study, or go on with it."""

from __future__ import annotations

from spectrosim_search.search.bench import Bench
from spectrosim_search.search.booked_time import BookedTime
from spectrosim_search.search.budget import Allowance
from spectrosim_search.search.driver_accounts import SearchOutcome
from spectrosim_search.search.driver_interrupt import GRACE_SECONDS, Interrupted, interrupted
from spectrosim_search.search.driver_loop import Driver
from spectrosim_search.search.lease import LEASE_SECONDS, LeaseKeeper, refuse_busy
from spectrosim_search.search.progress import Listener, silent
from spectrosim_search.search.store import Store
from spectrosim_search.search.workers.pool import Pool

__all__ = ["Interrupted", "SearchOutcome", "search"]


def search(
    store: Store,
    bench: Bench,
    pool: Pool,
    *,
    allowance: Allowance | None = None,
    listener: Listener = silent,
    grace: float = GRACE_SECONDS,
    lease_seconds: float = LEASE_SECONDS,
) -> SearchOutcome:
    """Search until the study's trials are done or its allowance is used up; go on where an earlier search stopped.

    Raises InputError where the study cannot be worked on (other data, another driver on an SQLite file), Interrupted on
    Ctrl-C, RunError where workers keep dying or another driver has taken over.
    """
    study = bench.study
    refuse_busy(store, study.name)
    study_id = store.open_study(study, bench.dataset, bench.summary())
    status = store.status(study.name)
    spent = status.search_seconds + status.confirmation_seconds
    with (
        BookedTime(store, study.name, "search"),
        LeaseKeeper(store.engine, study_id, seconds=lease_seconds) as lease,
    ):
        driver = Driver(store, bench, pool, lease, allowance or Allowance(study.budget), listener, spent)
        try:
            return driver.run(grace)
        except KeyboardInterrupt:
            raise Interrupted(interrupted(study.name)) from None
