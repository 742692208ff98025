from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.search import progress
from spectrosim_search.search.driver import search
from spectrosim_search.search.space import build_configuration, known_good
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench, WorkItem
from spectrosim_search.search.workers.in_process import InProcessPool
from spectrosim_search.search.workers.pool import CANCELLED, Finished, Pool, PoolEvent, WorkerDied
from spectrosim_search.search.workers.ray_pool import RayPool
from tests.search.searching import ROOT, numbers, run_small, small_spectra, small_study

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers need Linux or macOS")

STUDY = small_study(10)
LONG = small_study(10, options=["training.epochs=3000", "training.patience=3000"])


def items(study=STUDY, cells: int = 6) -> list[WorkItem]:  # type: ignore[no-untyped-def]
    bench = Workbench(small_spectra(), study)
    configuration = build_configuration(study, known_good(study)[0])
    return [bench.search_item(configuration, 0, cell) for cell in range(cells)]


def collect(pool: Pool, todo: list[WorkItem], seconds: float = 60.0) -> list[PoolEvent]:
    """Train everything; stop after the first death."""
    out: list[PoolEvent] = []
    waiting = list(todo)
    end = time.monotonic() + seconds
    while len(out) < len(todo) and time.monotonic() < end:
        while waiting and pool.free:
            pool.submit([waiting.pop(0)])
        out += pool.events(0.5)
    return out


@pytest.fixture(scope="module")
def pool() -> Iterator[RayPool]:
    with RayPool(small_spectra(), STUDY, workers=2) as made:
        yield made


def test_ray_workers_give_the_scores_of_this_process(pool: RayPool) -> None:
    here = {e.record.key: e.record for e in collect(InProcessPool(small_spectra(), STUDY), items()) if isinstance(e, Finished)}
    while pool.free < 2:
        pool.events(0.5)
    there = [e.record for e in collect(pool, items()) if isinstance(e, Finished)]
    assert len(there) == 6
    assert {r.worker for r in there} == {"worker 1", "worker 2"}
    for record in there:
        twin = here[record.key]
        assert record.score == twin.score
        assert record.curve.tolist() == twin.curve.tolist()
        assert record.pairs[0].similarity.tolist() == twin.pairs[0].similarity.tolist()


def test_ray_binds_to_the_loopback_address_only(pool: RayPool) -> None:
    listening = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        if not Path(table).exists():
            pytest.skip("needs /proc/net")
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A":
                listening.add((fields[1].split(":")[0], fields[9]))
    mine = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            name = (entry / "cmdline").read_bytes().decode(errors="replace")
            if "spectrosim-" not in name and "ray::" not in name:
                continue
            sockets = [os.readlink(link) for link in (entry / "fd").iterdir()]
        except OSError:
            continue
        mine |= {s.removeprefix("socket:[").removesuffix("]") for s in sockets if s.startswith("socket:[")}
    addresses = {address for address, inode in listening if inode in mine}
    assert addresses, "Ray listens somewhere"
    loopback = {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
    assert addresses <= loopback


def _train_long(pool: RayPool) -> WorkItem:
    """Give a replicate that takes minutes to a pool whose workers are all ready."""
    while pool.free < pool.slots:
        pool.events(0.5)
    (item,) = items(LONG, 1)
    pool.submit([item])
    assert pool.free == pool.slots - 1
    assert pool.events(1.0) == []
    return item


def test_a_running_replicate_stops_at_its_next_epoch(pool: RayPool) -> None:
    item = _train_long(pool)
    pool.stop([item.key])
    (event,) = next(events for _ in range(40) if (events := pool.events(0.5)))
    assert isinstance(event, Finished)
    assert (event.record.status, event.record.reason) == ("stopped", CANCELLED)
    assert 1 < len(event.record.curve) < 3000
    assert pool.free == pool.slots


def _processes(pool: RayPool) -> list[int]:
    """Process ids of the training workers of a pool."""
    return [pool._ray.get(w.actor.process.remote()) for w in pool._workers if w.starting is None]


def test_a_killed_worker_is_reported_and_replaced(pool: RayPool) -> None:
    item = _train_long(pool)
    before = _processes(pool)
    victim = pool._ray.get(next(w for w in pool._workers if w.keys).actor.process.remote())
    os.kill(victim, signal.SIGKILL)
    (event,) = next(events for _ in range(40) if (events := pool.events(0.5)))
    assert isinstance(event, WorkerDied)
    assert event.keys == (item.key,)
    assert event.reason == "its process ended unexpectedly"
    assert len(collect(pool, items(STUDY, 2))) == 2, "the other worker goes on"
    while pool.free < pool.slots:
        pool.events(0.5)
    assert len(set(_processes(pool)) - set(before)) == 1, "a new worker has come"


@pytest.mark.slow
def test_one_ray_worker_is_no_worker_number_for_number(tmp_path: Path) -> None:
    _, alone = run_small(tmp_path / "a.db", STUDY, workers=0)
    _, one = run_small(tmp_path / "b.db", STUDY, workers=1)
    assert numbers(one) == numbers(alone)


@pytest.mark.slow
def test_two_workers_any_configuration_has_the_same_scores(tmp_path: Path) -> None:
    study = small_study(10)
    outcome, two = run_small(tmp_path / "a.db", study, workers=2)
    assert outcome.complete + outcome.pruned == 10 == len(two.trials)
    finished = [r for r in two.replicates if r.status == "finished"]
    bench = Workbench(small_spectra(), study)
    configurations = {t.configuration_id: t.configuration for t in two.trials}
    alone = InProcessPool(small_spectra(), study)
    for record in finished[::4]:
        configuration = configurations[record.configuration_id]
        assert configuration is not None
        (event,) = collect(alone, [bench.search_item(configuration, None, record.cell)])
        assert isinstance(event, Finished)
        assert event.record.score == record.score
        assert event.record.curve.tolist() == record.curve.tolist()


@pytest.mark.slow
def test_killed_workers_cost_no_replicate_and_no_trial(tmp_path: Path) -> None:
    spectra, study = small_spectra(), small_study(10)
    lost: list[progress.WorkerLost] = []
    killed: set[int] = set()
    with RayPool(spectra, study, workers=2) as pool, Store(tmp_path / "a.db") as store:

        def watch(event: progress.Event) -> None:
            if isinstance(event, progress.WorkerLost):
                lost.append(event)
            if isinstance(event, progress.ReplicateDone) and len(killed) < 2:
                busy = [w for w in pool._workers if w.keys]
                if busy:
                    pid = pool._ray.get(busy[0].actor.process.remote())
                    killed.add(pid)
                    os.kill(pid, signal.SIGKILL)

        outcome = search(store, Workbench(spectra, study), pool, listener=watch)
        record = store.record("small")
    assert len(killed) == 2 == len(lost)
    assert outcome.complete + outcome.pruned == 10 == len(record.trials)
    assert max(Counter((r.trial_number, r.cell) for r in record.replicates).values()) == 1
    _, undisturbed = run_small(tmp_path / "b.db", study, workers=0)
    known = {r.key: r.score for r in undisturbed.replicates}
    shared = [r for r in record.replicates if r.key in known]
    assert shared
    assert all(r.score == known[r.key] for r in shared)


@pytest.mark.slow
def test_a_killed_driver_with_workers_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    command = [sys.executable, "-m", "tests.search.searching", str(file), "2", "trials=10"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    stored = [child.stdout.readline().split()[1] for _ in range(8)]
    child.kill()
    child.wait()
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=200)
    assert again.returncode == 0, again.stdout + again.stderr
    lines = [line.split() for line in again.stdout.splitlines()]
    trained = [line[1] for line in lines if line[0] == "replicate"]
    assert not set(trained) & set(stored), "nothing is trained twice"
    with Store(file, read_only=True) as store:
        record, status = store.record("small"), store.status("small")
    assert status.complete + status.pruned == 10 == len(record.trials)
    assert set(stored) | set(trained) <= {r.key for r in record.replicates}


@pytest.mark.slow
def test_ctrl_c_with_workers(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    command = [sys.executable, "-m", "tests.search.searching", str(file), "2", "trials=200"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)
    assert child.stdout is not None
    for _ in range(5):
        child.stdout.readline()
    child.send_signal(signal.SIGINT)
    output = child.communicate(timeout=60)[0]
    assert child.returncode == 130, output
    assert output.rstrip().endswith("goes on with study 'small'")


def test_errors_of_the_program_end_the_run(pool: RayPool) -> None:
    """A task that cannot be understood is nobody's configuration: it must not be hidden in a record."""
    (item,) = items(STUDY, 1)
    broken = WorkItem(item.key, "search", item.configuration, 0, 0, 99, 0, configuration_id=item.configuration_id)
    while not pool.free:
        pool.events(0.5)
    pool.submit([broken])
    with pytest.raises(RunError, match=r"failed on replicate .*ValueError: fold 99"):
        for _ in range(20):
            pool.events(0.5)


def test_what_is_not_there_cannot_be_asked_for() -> None:
    spectra = small_spectra()
    with pytest.raises(InputError, match="at least one is needed"):
        RayPool(spectra, STUDY, workers=0)
    with pytest.raises(InputError, match="between 0 and 8"):
        RayPool(spectra, STUDY, workers=1, gpus_per_trial=-1)


def test_stop_reaches_a_trainer_from_another_thread() -> None:
    from spectrosim_search.search.workers.trainer import Trainer

    trainer = Trainer(small_spectra(), LONG, worker="w")
    (item,) = items(LONG, 1)
    threading.Timer(0.5, trainer.stop, [[item.key]]).start()
    (event,) = list(trainer.train([item]))
    assert event.record.status == "stopped"
    assert event.record.reason == CANCELLED
    assert event.record.environment_id == event.environment.id
    assert event.environment.packages["torch"]
