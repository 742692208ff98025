"""Whole searches with Ray workers: the same numbers, and nothing lost whoever dies."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.search import progress
from spectrosim_search.search.driver import search
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.in_process import InProcessPool
from spectrosim_search.search.workers.pool import Finished
from spectrosim_search.search.workers.ray_pool import RayPool
from tests.search.searching import ROOT, numbers, run_small, small_spectra, small_study

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform == "win32", reason="workers need Linux or macOS"),
]

STUDY = small_study(10)


def test_one_ray_worker_is_no_worker_number_for_number(tmp_path: Path) -> None:
    _, alone = run_small(tmp_path / "a.db", STUDY, workers=0)
    _, one = run_small(tmp_path / "b.db", STUDY, workers=1)
    assert numbers(one) == numbers(alone)


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
        alone.submit([bench.search_item(configuration, None, record.cell)])
        (event,) = alone.events(0.0)
        assert isinstance(event, Finished)
        assert event.record.score == record.score
        assert event.record.curve.tolist() == record.curve.tolist()


def test_killed_workers_cost_no_replicate_and_no_trial(tmp_path: Path) -> None:
    spectra, study = small_spectra(), small_study(24)  # enough left to do when the killed worker is back
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
    assert outcome.complete + outcome.pruned == 24 == len(record.trials)
    assert max(Counter((r.trial_number, r.cell) for r in record.replicates).values()) == 1
    _, undisturbed = run_small(tmp_path / "b.db", study, workers=0)
    known = {r.key: r.score for r in undisturbed.replicates}
    shared = [r for r in record.replicates if r.key in known]
    assert shared
    assert all(r.score == known[r.key] for r in shared)


def test_a_killed_driver_with_workers_loses_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.db"
    command = [sys.executable, "-m", "tests.search.searching", str(file), "2", "trials=10"]
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert child.stdout is not None
    stored = [child.stdout.readline().split()[1] for _ in range(8)]
    child.kill()
    child.stdout.close()
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


def test_a_cluster_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"cannot join the Ray cluster at 127\.0\.0\.1:1"):
        RayPool(small_spectra(), STUDY, workers=1, address="127.0.0.1:1")
    with pytest.raises(InputError, match="write host:port"):
        RayPool(small_spectra(), STUDY, workers=1, address="ray://somewhere:10001")


def test_what_this_machine_lacks() -> None:
    with pytest.raises(InputError, match="has 0 GPUs"):
        RayPool(small_spectra(), STUDY, workers=1, gpus_per_trial=0.5)
