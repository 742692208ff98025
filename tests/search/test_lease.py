from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Literal

import pytest

from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.config.study import Study
from spectrosim_search.search import store_leases, store_slots
from spectrosim_search.search.booked_time import BookedTime
from spectrosim_search.search.lease import LeaseKeeper
from spectrosim_search.search.records import DatasetRecord
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_leases import Identity

DATASET = DatasetRecord("f" * 16, "fish", 36, 64, 12, 2, "m/z", 77.0, 999.0)


@pytest.fixture
def store(tmp_path: Path):  # type: ignore[no-untyped-def]
    with Store(tmp_path / "study.db") as made:
        made.open_study(Study(name="fish"), DATASET, {})
        yield made


def elsewhere(name: str) -> Identity:
    """A driver on another machine, of which only the lease tells whether it is alive."""
    return Identity(name, "another machine", "1:1")


def test_the_database_clock_is_ours_here(store: Store) -> None:
    import sqlalchemy as sa

    with store.engine.connect() as connection:
        now = connection.execute(sa.select(store_leases.database_now())).scalar_one()
    assert abs(now - time.time()) < 2.0


def test_a_keeper_renews_and_gives_back(store: Store) -> None:
    with LeaseKeeper(store.engine, 1, seconds=0.4) as keeper:
        for _ in range(5):
            time.sleep(0.2)
            assert [lease.driver for lease in store_leases.live(store.engine, 1)] == [keeper.driver]
        keeper.check()
    assert store_leases.live(store.engine, 1) == ()


def test_a_lease_that_was_taken_away_is_lost(store: Store) -> None:
    with LeaseKeeper(store.engine, 1, seconds=0.4) as keeper:
        store_leases.drop(store.engine, 1, keeper.driver)
        time.sleep(0.4)
        with pytest.raises(RunError, match="has taken this study's trials over"):
            keeper.check()


def test_a_dead_process_on_this_machine_has_no_lease(store: Store) -> None:
    mine = Identity.mine()
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    store_leases.take(store.engine, 1, Identity("dead", mine.host, f"{child.pid}:1"), 60.0)
    store_leases.take(store.engine, 1, Identity("reused", mine.host, f"{mine.process.split(':')[0]}:1"), 60.0)
    store_leases.take(store.engine, 1, mine, 60.0)
    store_leases.take(store.engine, 1, elsewhere("far"), 60.0)
    store_leases.take(store.engine, 1, elsewhere("lapsed"), -1.0)
    assert {lease.driver for lease in store_leases.live(store.engine, 1)} == {mine.driver, "far"}
    store_leases.drop_dead(store.engine, 1)
    assert {lease.driver for lease in store_leases.live(store.engine, 1)} == {mine.driver, "far"}
    assert not store_leases.renew(store.engine, 1, "lapsed", 60.0)


def test_slots_are_claimed_once_and_never_more_than_asked(store: Store) -> None:
    claimed: list[int] = []
    lock = threading.Lock()

    def claim(driver: str) -> None:
        while (slot := store_slots.claim(store.engine, 1, driver, 20)) is not None:
            with lock:
                claimed.append(slot.slot)

    threads = [threading.Thread(target=claim, args=(f"d{i}",)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(claimed) == list(range(20))
    assert store_slots.claim(store.engine, 1, "d0", 20) is None
    later = store_slots.claim(store.engine, 1, "d0", 21)
    assert later is not None
    assert later.slot == 20


def test_a_failed_slot_is_claimed_again_as_another_attempt(store: Store) -> None:
    slot = store_slots.claim(store.engine, 1, "a", 5)
    assert slot is not None
    store_slots.start(store.engine, 1, slot, 0, "c", 1)
    store_slots.free(store.engine, 1, slot)
    again = store_slots.claim(store.engine, 1, "b", 5)
    assert again is not None
    assert (again.slot, again.attempt, again.driver) == (0, 1, "b")


def test_only_lapsed_drivers_lose_their_slots(store: Store) -> None:
    for number, (driver, seconds) in enumerate((("alive", 60.0), ("lapsed", -1.0), ("me", 60.0))):
        store_leases.take(store.engine, 1, elsewhere(driver), seconds)
        for _ in range(2):
            slot = store_slots.claim(store.engine, 1, driver, 10)
            assert slot is not None
            if slot.slot % 2:
                store_slots.start(store.engine, 1, slot, number, "c", 1)
    done = store_slots.read(store.engine, 1)[3]
    assert (done.driver, done.state) == ("lapsed", "running")
    assert store_slots.take_over(store.engine, 1, "me", 3) == 1, "slots beyond those asked for are left alone"
    assert store_slots.take_over(store.engine, 1, "me", 10) == 1
    assert [s.driver for s in store_slots.read(store.engine, 1)] == ["alive", "alive", "me", "me", "me", "me"]
    with pytest.raises(RunError, match="taken over by another driver"):
        store_slots.finish(store.engine, 1, done, "complete", 0.5, "")
    assert store_slots.read(store.engine, 1)[3].state == "running"


def test_a_killed_session_has_used_its_time(store: Store, tmp_path: Path) -> None:
    code = f"""
import time
from spectrosim_search.search.booked_time import BookedTime
from spectrosim_search.search.store import Store
with Store({str(tmp_path / "study.db")!r}) as store, BookedTime(store, "fish", "search", every=0.05):
    time.sleep(60)
"""
    child = subprocess.Popen([sys.executable, "-c", code])
    try:
        for _ in range(1200):
            if store.status("fish").search_seconds >= 0.2:
                break
            time.sleep(0.05)
    finally:
        child.kill()
        child.wait()
    assert 0.2 <= store.status("fish").search_seconds < 60
    assert store.status("fish").confirmation_seconds == 0


def test_time_is_booked_once_and_to_the_end(store: Store) -> None:
    before = time.monotonic()
    with pytest.raises(KeyboardInterrupt), BookedTime(store, "fish", "confirmation", every=0.02):
        began = time.monotonic()
        time.sleep(0.3)
        inside = time.monotonic() - began
        raise KeyboardInterrupt
    assert inside <= store.status("fish").confirmation_seconds <= time.monotonic() - before


def test_time_that_could_not_be_booked_is_booked_later(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    real, refused = store.add_seconds, 0

    def add(name: str, phase: Literal["search", "confirmation"], seconds: float) -> None:
        nonlocal refused
        if refused < 3:
            refused += 1
            raise InputError("the database is away")
        real(name, phase, seconds)

    monkeypatch.setattr(store, "add_seconds", add)
    with BookedTime(store, "fish", "search", every=0.02):
        began = time.monotonic()
        while (inside := time.monotonic() - began) < (20 if refused < 3 else 0.3):
            time.sleep(0.01)
    assert refused == 3
    assert store.status("fish").search_seconds >= inside
