from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.search.space import build_configuration
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.in_process import InProcessPool
from spectrosim_search.search.workers.pool import CANCELLED, Finished, Pool, PoolEvent, WorkerDied
from spectrosim_search.search.workers.ray_pool import RayPool
from tests.search.searching import small_spectra, small_study

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="workers need Linux or macOS")

STUDY = small_study(10)
LONG = small_study(10, options=["training.epochs=3000", "training.patience=3000"])


def items(study=STUDY, cells: int = 6) -> list[WorkItem]:  # type: ignore[no-untyped-def]
    bench = Workbench(small_spectra(), study)
    configuration = build_configuration(study, dict(study.known_good[0]))
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
    here = {
        e.record.key: e.record
        for e in collect(InProcessPool(small_spectra(), STUDY), items())
        if isinstance(e, Finished)
    }
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


def test_leftovers_of_killed_drivers_are_swept_away(tmp_path: Path) -> None:
    from spectrosim_search.search.workers import ray_session

    for name in ("spectrosim-dead", "spectrosim-alive", "spectrosim-new", "other"):
        (tmp_path / name).mkdir()
    for name in ("spectrosim-dead", "spectrosim-alive", "other"):
        (tmp_path / name / "in-use").touch()
    lock = ray_session._lock(tmp_path / "spectrosim-alive" / "in-use")
    assert lock is not None
    ray_session._sweep(tmp_path)
    lock.close()
    assert {p.name for p in tmp_path.iterdir()} == {"spectrosim-alive", "spectrosim-new", "other"}


def _descends(pid: int) -> bool:
    """Whether a process was started by this one, directly or not."""
    while pid > 1:
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
        if pid == os.getpid():
            return True
    return False


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
            if not _descends(int(entry.name)):
                continue
            sockets = [str(link.readlink()) for link in (entry / "fd").iterdir()]
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
