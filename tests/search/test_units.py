"""Replicates that one processor core trains as a stack: which, and that no interruption changes a number."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spectrosim_search.config.configuration import Component, Configuration
from spectrosim_search.learning.components import resolve
from spectrosim_search.search import workbench
from spectrosim_search.search.driver import search
from spectrosim_search.search.driver_field import Field
from spectrosim_search.search.driver_items import run_items
from spectrosim_search.search.records import ReplicateRecord
from spectrosim_search.search.space import build_configuration
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_slots import Slot
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers import trainer
from spectrosim_search.search.workers.in_process import InProcessPool
from spectrosim_search.search.workers.pool import Finished, PoolEvent, WorkerDied
from spectrosim_search.search.workers.trainer import Trainer
from tests.search.searching import numbers, run_small, small_spectra, small_study

UNITS = [(0,), (1, 2), (3, 4, 5)]  # three folds, two seeds, judged after cells 1 and 3


class Watched(InProcessPool):
    """Notes the sizes of what is submitted, and loses its power after so many records."""

    def __init__(self, *given: Any, power: int | None = None) -> None:
        super().__init__(*given)
        self.power, self.sizes = power, list[int]()

    def submit(self, items: Sequence[WorkItem]) -> None:  # type: ignore[override]
        self.sizes.append(len(items))
        super().submit(items)

    def events(self, timeout: float) -> list[PoolEvent]:
        if self.power == 0:
            raise ConnectionAbortedError("no power")
        out = super().events(timeout)
        if self.power is not None:
            self.power -= len(out)
        return out


def start(changes: Collection[str] = (), **encoder: Any) -> tuple[Workbench, Configuration]:
    study = small_study(2, options=list(changes))
    configuration = build_configuration(study, {})
    if encoder:
        chosen: Component = resolve("encoders", encoder)
        configuration = replace(configuration, encoder=chosen)
    return Workbench(small_spectra(), study), configuration


def test_a_unit_is_what_the_ladder_grants_at_once_of_a_seed() -> None:
    bench, configuration = start()
    field = Field(bench)
    trial = field.add_trial(Slot(0, 0, "running", "me", 0, 6, "c", None, ""), 0, configuration, mine=True)
    assert [field.unit(trial, cell) for cell in range(6)] == [UNITS[0], *[UNITS[1]] * 2, *[UNITS[2]] * 3]
    items = bench.confirmation_items(configuration, seeds=2)
    assert [i.together == items[0].together for i in items] == [True] * 3 + [False] * 3
    assert bench.search_item(configuration, 0, 0).together != items[0].together
    held = bench.hold_out_items(configuration, 2, 5)
    assert {i.together for i in held} == {""}


def test_large_networks_and_large_data_stand_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    wide = {"type": "transformer", "patch": 4, "width": 512, "depth": 4, "heads": 4}
    bench, configuration = start(**wide)
    assert not bench.stacks(configuration)
    assert {i.together for i in bench.confirmation_items(configuration, 1)} == {""}
    bench, configuration = start()
    assert bench.stacks(configuration)
    monkeypatch.setattr(workbench, "STACK_BYTES", bench.spectra.intensities.nbytes - 1)
    assert not bench.stacks(configuration)


@pytest.mark.parametrize("power", range(2, 7))
def test_a_unit_that_was_cut_short_is_trained_again_as_a_whole(tmp_path: Path, power: int) -> None:
    """The driver dies between the records of a unit, and goes on as if it had not."""
    spectra, study = small_spectra(), small_study(4)
    _, whole = run_small(tmp_path / "whole.db", study)
    with Store(tmp_path / "a.db") as store:
        pool = Watched(spectra, study, power=power)
        with pytest.raises(ConnectionAbortedError):
            search(store, Workbench(spectra, study), pool)
        assert len(store.replicates("small", "search")) == power
        again = Watched(spectra, study)
        search(store, Workbench(spectra, study), again)
        record = store.record("small")
    assert numbers(record) == numbers(whole)
    assert set(pool.sizes + again.sizes) == {1, 2, 3}
    keys = [r.key for r in record.replicates]
    assert len(keys) == len(set(keys))
    cut = pool.sizes[-1] if sum(pool.sizes) > power else 0
    assert sum(pool.sizes + again.sizes) - len(keys) == cut, "all of the unit that was cut short, and nothing else"


def test_of_a_fixed_list_a_cut_unit_is_trained_again_too(tmp_path: Path) -> None:
    spectra, study = small_spectra(), small_study(1)
    run_small(tmp_path / "a.db", study)
    bench, configuration = start()
    items = bench.confirmation_items(configuration, seeds=2)
    seen: list[ReplicateRecord] = []
    with Store(tmp_path / "a.db") as store:
        with pytest.raises(ConnectionAbortedError):
            run_items(Watched(spectra, study, power=4), items, store, seen.append, study="small")
        assert [r.key for r in seen] == [i.key for i in items[:4]]
        seen.clear()
        pool = Watched(spectra, study)
        found = run_items(pool, items, store, seen.append, study="small")
        assert pool.sizes == [3], "the first unit is whole, of the second all is trained again"
        assert [r.key for r in found] == [i.key for i in items] == [r.key for r in seen], "each is handed over once"
        assert len(store.replicates("small", "confirm")) == 6
    with Store(tmp_path / "b.db") as other:
        search(other, Workbench(spectra, study), InProcessPool(spectra, study))
        straight = run_items(InProcessPool(spectra, study), items, other, seen.append, study="small")
    assert [(r.key, r.score, r.curve.tolist()) for r in found] == [(r.key, r.score, r.curve.tolist()) for r in straight]


class Dying(Watched):
    """Its worker is lost once, with what it had not delivered, after so many records."""

    def submit(self, items: Sequence[WorkItem]) -> None:  # type: ignore[override]
        self.keys = [item.key for item in items]
        super().submit(items)

    def events(self, timeout: float) -> list[PoolEvent]:
        if self.power != 0:
            return super().events(timeout)
        left = self.keys[len(self.keys) - self._left :] if self._left else self.keys
        self.power = None
        self.close()
        return [WorkerDied("main", "out of memory", tuple(left))]


@pytest.mark.parametrize("delivered", range(6))
def test_of_a_fixed_list_a_unit_that_lost_its_worker_is_trained_as_a_whole(tmp_path: Path, delivered: int) -> None:
    spectra, study = small_spectra(), small_study(1)
    bench, configuration = start()
    items = bench.confirmation_items(configuration, seeds=2)
    seen: list[str] = []
    with Store(tmp_path / "a.db") as store:
        store.open_study(study, bench.dataset, bench.summary())
        pool = Dying(spectra, study, power=delivered)
        found = run_items(pool, items, store, lambda r: seen.append(r.key), study="small")
    assert pool.sizes == [3, 3, 3]
    assert seen == [i.key for i in items] == [r.key for r in found]
    worker = Trainer(spectra, study, worker="w")
    straight = [e.record for unit in (items[:3], items[3:]) for e in worker.train(unit) if isinstance(e, Finished)]
    assert [(r.score, r.curve.tolist()) for r in found] == [(r.score, r.curve.tolist()) for r in straight]


def test_a_stack_that_memory_does_not_hold_is_trained_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    from spectrosim_search.learning import engine

    real, sizes = engine.train_stack, list[int]()

    def hungry(tasks: Sequence[Any], *given: Any, **named: Any) -> Any:
        sizes.append(len(tasks))
        if len(tasks) > 1:
            raise MemoryError
        return real(tasks, *given, **named)

    monkeypatch.setattr(engine, "train_stack", hungry)
    bench, configuration = start()
    items = bench.confirmation_items(configuration, seeds=1)
    ended = [e for e in Trainer(bench.spectra, bench.study, worker="w").train(items) if isinstance(e, Finished)]
    assert sizes == [3, 1, 1, 1]
    assert [e.record.key for e in ended] == [i.key for i in items]
    assert {e.record.status for e in ended} == {"finished"}


def test_a_stack_shares_what_preparing_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """The times of its replicates add up to the time of the whole, by a clock that ticks when it is read."""
    bench, configuration = start()
    worker = Trainer(bench.spectra, bench.study, worker="w")
    items = bench.confirmation_items(configuration, seeds=1)
    ticks = itertools.count()
    monkeypatch.setattr(trainer.time, "perf_counter", lambda: float(next(ticks)))
    ended = [e for e in worker.train(items) if isinstance(e, Finished)]
    told = [e.record.total_seconds for e in ended]
    # of the readings from first to last, those between two pieces of its time belong to none
    assert sum(told) == pytest.approx(next(ticks) - 1 - len(items))
    assert all(0 < e.record.train_seconds < e.record.total_seconds for e in ended)
