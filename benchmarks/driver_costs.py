"""What the driver costs: time of an ask, driver time per replicate, share of time workers wait.

    python -m benchmarks.driver_costs [--sizes 100 1000 10000] [--workers 2] [--seconds 1.0] [--sampler tpe]

A database is filled with the past of a search, grown from size to size (`--database` keeps it: filling 10,000 takes
minutes). At each size some trials are asked for, then the real driver goes on for `--trials` trials: once with workers
that are done at once (driver time per replicate; asks and reading the past are excluded), once with workers that take
`--seconds` a replicate (share of time they had nothing to do; all of the driver's work counts, not the ask alone). Asks
and driver time are processor time, for other programs can only lengthen the rest; the waiting is by the clock and needs
a quiet machine.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import optuna

from benchmarks._driving import TimedPool, bench_for, fill
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.study import Budget, Sampler
from spectrosim_search.search import store_slots
from spectrosim_search.search.driver import search
from spectrosim_search.search.driver_trials import TrialBook
from spectrosim_search.search.plan import first_configuration
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench

__all__ = ["Costs", "drive", "time_asks"]


@dataclass(frozen=True)
class Costs:
    """One run of the driver. Seconds; `driver` without asks, reading the past and the benchmark's own work."""

    replicates: int
    asks: list[float]
    driver: float
    wall: float
    idle: float  # share of the workers' time
    joined: float  # reading the past


@contextmanager
def watched() -> Iterator[tuple[list[float], list[float]]]:
    """Times of every ask and of reading the past, while it lasts."""
    from spectrosim_search.search.driver_loop import Driver

    asks: list[float] = []
    joins: list[float] = []
    ask, join, make = TrialBook.ask, Driver._join, Driver.__init__

    def timed_ask(self: TrialBook, slot: int, attempt: int) -> tuple[int, Configuration]:
        began = time.process_time()
        try:
            return ask(self, slot, attempt)
        finally:
            asks.append(time.process_time() - began)

    def timed_join(self: Driver) -> None:
        began = time.process_time()
        join(self)
        joins.append(time.process_time() - began)

    def timed_make(self: Driver, *given: Any) -> None:
        began = time.process_time()
        make(self, *given)
        joins.append(time.process_time() - began)

    with patch.multiple(Driver, _join=timed_join, __init__=timed_make), patch.object(TrialBook, "ask", timed_ask):
        yield asks, joins


def drive(store: Store, bench: Workbench, size: int, trials: int, workers: int, seconds: float) -> Costs:
    """Let the driver go on from `size` trials for `trials` more."""
    ongoing = Workbench(bench.spectra, replace(bench.study, budget=Budget(trials=size + trials)))
    pool = TimedPool(ongoing, slots=workers, seconds=seconds)
    ongoing.stacks(first_configuration(ongoing.study))  # the first pass in a process loads code, while workers start
    began = time.process_time()
    with watched() as (asks, joins):
        outcome = search(store, ongoing, pool)
    used = time.process_time() - began - sum(asks) - sum(joins) - pool.making
    waited = pool.idle / max(1e-9, pool.working * workers)
    return Costs(pool.done, asks, used, outcome.seconds, waited, sum(joins))


def trials_in(store: Store, bench: Workbench) -> int:
    """Trials the study has already; 0 for a new database."""
    names = {status.name for status in store.studies()}
    return len(store_slots.read(store.engine, store.study_id(bench.study.name))) if bench.study.name in names else 0


def time_asks(store: Store, bench: Workbench, asks: int) -> list[float]:
    """Seconds of each ask; the trials are told FAIL, which samplers ignore."""
    book = TrialBook(store, bench.study)
    taken = []
    for place in range(asks):
        began = time.process_time()
        number, _ = book.ask(10**6 + place, 1)
        taken.append(time.process_time() - began)
        book.tell(number, optuna.trial.TrialState.FAIL, None, "asked for its time alone")
    return taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", default="transformer")
    parser.add_argument("--sampler", default="", help="another sampler than the study's")
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10000])
    parser.add_argument("--database", type=Path, help="keep the filled database here and go on with it")
    parser.add_argument("--asks", type=int, default=10)
    parser.add_argument("--trials", type=int, default=40, help="trials the driver goes on for")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=1.0, help="of a replicate, for the workers' share of waiting")
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    bench = bench_for(asked.study, 10**6)
    if asked.sampler:
        changed = replace(bench.study, sampler=Sampler(asked.sampler))
        bench = Workbench(bench.spectra, changed)
    print(f"study {asked.study}, sampler {bench.study.sampler.type}, {len(bench.study.dimensions)} dimensions, SQLite")
    print("trials   ask ms (median, most)   driver ms/replicate   workers waiting   reading the past s")
    with tempfile.TemporaryDirectory() as folder, Store(asked.database or Path(folder) / "study.db") as store:
        there = trials_in(store, bench)
        for size in asked.sizes:
            if size > there:
                fill(store, bench, there, size - there)
                there = size
            size = there
            asks = time_asks(store, bench, asked.asks)
            fast = drive(store, bench, size, asked.trials, asked.workers, 0.0)
            there += asked.trials
            waiting = "-"
            if asked.seconds > 0:
                slow = drive(store, bench, there, asked.trials, asked.workers, asked.seconds)
                there += asked.trials
                waiting = f"{slow.idle:.1%}"
            median, most = statistics.median(asks) * 1e3, max(asks) * 1e3
            each = 1e3 * fast.driver / fast.replicates
            print(f"{size:6} {median:12.0f} {most:10.0f} {each:21.1f} {waiting:>17} {fast.joined:20.1f}", flush=True)


if __name__ == "__main__":
    main()
