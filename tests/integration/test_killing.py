"""SIGKILL and Ctrl-C in mid-study: nothing finished is lost, nothing is trained twice, the numbers are the same."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration.sessions import (
    end_all,
    everything,
    exactly,
    kill_driver,
    reaches,
    read,
    run,
    session,
    trained,
    until,
)

pytestmark = pytest.mark.slow
Job = tuple[str | Path, ...]


def test_a_killed_worker_is_replaced(job: Job, whole: Path, tmp_path: Path) -> None:
    file, log = tmp_path / "spectrosim.db", tmp_path / "log.txt"
    with session(tmp_path, (*job, "--workers", "1"), log=log) as one:
        for replicates in (3, 8):
            reaches(one, file, replicates)
            until(lambda: bool(one.workers()), "no worker")
            os.kill(one.workers()[0], signal.SIGKILL)
        printed = one.end()
    assert printed.count("was lost") == 2, printed
    record = read(file)
    exactly(record, 6)
    assert sorted(trained(log)) == sorted(r.key for r in record.replicates)
    assert everything(record) == everything(read(whole))


@pytest.mark.parametrize(("workers", "kills"), [pytest.param(1, (4, 10), marks=pytest.mark.full), (2, (7,))])
def test_a_killed_driver_goes_on(job: Job, whole: Path, tmp_path: Path, workers: int, kills: tuple[int, ...]) -> None:
    file, log = tmp_path / "spectrosim.db", tmp_path / "log.txt"
    left: set[int] = set()
    before: dict[str, float] = {}
    try:
        for replicates in kills:
            with session(tmp_path, (*job, "--workers", str(workers)), log=log) as one:
                reaches(one, file, replicates)
                left |= kill_driver(one)
            now = {r.key: r.started_at for r in read(file).replicates}
            assert len(now) >= replicates
            assert before.items() <= now.items(), "what was stored stays as it was"
            before = now
        run(tmp_path, *job, "--workers", str(workers), log=log)
    finally:
        end_all(left)
    record = read(file)
    exactly(record, 6)
    assert before.items() <= {r.key: r.started_at for r in record.replicates}.items()
    keys = trained(log)
    assert len(set(keys)) == len(keys), "a replicate was trained twice"
    # A replicate may have been stored in the instant before its driver died, unlogged; no more than one a kill.
    stored = {r.key for r in record.replicates}
    assert set(keys) <= stored
    assert len(stored) - len(keys) <= len(kills)
    if workers == 1:
        assert everything(record) == everything(read(whole))


def test_control_c_says_how_to_go_on(job: Job, whole: Path, tmp_path: Path) -> None:
    file, log = tmp_path / "spectrosim.db", tmp_path / "log.txt"
    with session(tmp_path, (*job, "--workers", "1"), log=log) as one:
        reaches(one, file, 5)
        os.killpg(one.process.pid, signal.SIGINT)  # as a terminal does
        assert one.process.wait(30) == 130, one.text()
        last = one.text().splitlines()[-1]
    assert "the same command goes on with study 's'" in last
    assert "Traceback" not in one.text()
    assert sorted(trained(log)) == sorted(r.key for r in read(file).replicates), "all that was finished is stored"
    run(tmp_path, *job, "--workers", "1", log=log)
    record = read(file)
    exactly(record, 6)
    assert len(trained(log)) == len(record.replicates)
    assert everything(record) == everything(read(whole))
