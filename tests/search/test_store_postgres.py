"""The same store and driver on a real PostgreSQL server, started for these tests and removed after them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.search import progress, store_leases, store_slots
from spectrosim_search.search.pareto import pareto_trials
from spectrosim_search.search.records import BaselineRecord
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_leases import Identity
from tests.search.searching import ROOT, numbers, run_small, small_study

pytest.importorskip("psycopg", reason="needs the extra 'postgres'")


def _programs() -> Path | None:
    """Directory of initdb and pg_ctl: Debian keeps them apart from the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parts[-3]), reverse=True)
    on_path = shutil.which("initdb")
    return found[0].parent if found else Path(on_path).parent if on_path else None


def _as_somebody() -> list[str]:
    """The server refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["runuser", "-u", "postgres", "--"]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    programs = _programs()
    if programs is None or sys.platform == "win32":
        pytest.skip("PostgreSQL's server programs are not installed")
    if os.geteuid() == 0 and subprocess.run(["id", "postgres"], capture_output=True).returncode != 0:
        pytest.skip("running as root and there is no user postgres to run the server")
    base = Path(tempfile.mkdtemp(prefix="pg-"))
    data = base / "data"
    who = _as_somebody()
    if who:
        shutil.chown(base, "postgres")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"stdout": subprocess.DEVNULL, "check": True, "cwd": "/"}
    (base / "word").write_text("geheim")
    (base / "word").chmod(0o644)
    asked = ["-U", "lab", "-A", "scram-sha-256", "-N", f"--pwfile={base / 'word'}", "-E", "UTF8", "--no-instructions"]
    subprocess.run([*who, str(programs / "initdb"), "-D", str(data), *asked], **quiet)  # type: ignore[call-overload]
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories={base} -c fsync=off"
    control = [*who, str(programs / "pg_ctl"), "-D", str(data), "-w"]
    subprocess.run([*control, "-l", str(base / "log"), "-o", options, "start"], **quiet)  # type: ignore[call-overload]
    try:
        yield f"postgresql://lab:geheim@127.0.0.1:{port}/"
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], **quiet)  # type: ignore[call-overload]
        shutil.rmtree(base, ignore_errors=True)


@pytest.fixture
def url(server: str, request: pytest.FixtureRequest) -> str:
    """A new database for each test."""
    import psycopg

    name = f"t{abs(hash(request.node.name))}"
    with psycopg.connect(f"{server}postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return f"{server}{name}"


def test_the_same_study_as_on_sqlite(url: str, tmp_path: Path) -> None:
    study = small_study(5)
    _, there = run_small(url, study)
    _, here = run_small(tmp_path / "a.db", study)
    assert numbers(there) == numbers(here)
    with Store(url, read_only=True) as store:
        assert numbers(store.record("small")) == numbers(here)
        assert store.status("small").complete + store.status("small").pruned == 5
    with Store(url) as store:
        store.delete("small")
        assert store.studies() == ()


def test_wrong_passwords_and_missing_databases_are_one_line(url: str) -> None:
    for wrong in (url.replace("geheim", "verraten"), url + "missing"):
        with pytest.raises(InputError) as caught:
            Store(wrong)
        assert "\n" not in str(caught.value)
        assert "verraten" not in str(caught.value).replace("password authentication failed", "")
        assert "geheim" not in str(caught.value)
    with pytest.raises(InputError, match="there are no studies in"):
        Store(url, read_only=True)


def test_drivers_that_conclude_at_once_store_one_row_each_way(url: str) -> None:
    """Each puts its row in place of the other's; no order of deleting and inserting is an error."""
    run_small(url, small_study(1))
    begin = threading.Barrier(4)

    def conclude(number: int) -> None:
        with Store(url) as store:
            begin.wait()
            for n in range(40):
                store.set_baseline("small", BaselineRecord("cosine", "cosine", (), f"{number} {n}", 0.5))

    with ThreadPoolExecutor(4) as drivers:
        list(drivers.map(conclude, range(4)))
    with Store(url, read_only=True) as store:
        (row,) = store.record("small").baselines
    assert row.settings.endswith(" 39")


def test_leases_run_by_the_servers_clock(url: str) -> None:
    run_small(url, small_study(1))
    with Store(url) as store:
        study_id = store.study_id("small")
        store_leases.take(store.engine, study_id, Identity("far", "elsewhere", "1:1"), 0.5)
        assert [lease.driver for lease in store_leases.live(store.engine, study_id)] == ["far"]
        slot = store_slots.claim(store.engine, study_id, "far", 2)
        assert slot is not None
        assert store_slots.take_over(store.engine, study_id, "me", 2) == 0
        time.sleep(0.6)
        assert store_slots.take_over(store.engine, study_id, "me", 2) == 1


def _start(url: str, *more: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.search.searching", url, "0", *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT)


@pytest.mark.slow
def test_two_drivers_on_one_study_lose_and_double_nothing(url: str) -> None:
    """Both start on an empty database at once: they share the tables, the trials and the replicates."""
    drivers = [_start(url, "trials=12"), _start(url, "trials=12")]
    outputs = [driver.communicate(timeout=200)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], outputs
    stored = [line.split()[1] for output in outputs for line in output.splitlines() if line.startswith("replicate")]
    with Store(url, read_only=True) as store:
        record = store.record("small")
    states = Counter(t.state for t in record.trials)
    assert states["COMPLETE"] + states["PRUNED"] == 12 == len(record.trials)
    assert sorted(stored) == sorted(r.key for r in record.replicates), "each replicate is trained by one driver"
    assert all("replicate" in output for output in outputs), "both took part"


SEVERAL = ("objectives=[score,inference_time,parameters]", "sampler.type=nsga2", "sampler.startup=3")


@pytest.mark.slow
def test_several_objectives_interrupted_as_on_sqlite_and_then_two_drivers(url: str, tmp_path: Path) -> None:
    """Generations of NSGA-II are found again by another driver, whose trials have other ids."""

    class Stop(Exception):
        """Stands for a driver that dies."""

    seen = 0

    def die(happened: progress.Event) -> None:
        nonlocal seen
        seen += isinstance(happened, progress.ReplicateDone)
        if isinstance(happened, progress.ReplicateDone) and seen % 11 == 0:
            raise Stop

    study = small_study(10, options=list(SEVERAL))
    _, here = run_small(tmp_path / "a.db", study)
    for _ in range(40):
        try:
            _, there = run_small(url, study, listener=die)
            break
        except Stop:
            pass
    assert seen > 22
    assert numbers(there) == numbers(here)
    assert [t.objectives for t in there.trials] == [t.objectives for t in here.trials]
    drivers = [_start(url, "trials=20", *SEVERAL) for _ in range(2)]
    outputs = [driver.communicate(timeout=200)[0] for driver in drivers]
    assert [driver.returncode for driver in drivers] == [0, 0], outputs
    with Store(url, read_only=True) as store:
        record, status = store.record("small"), store.status("small")
    assert status.complete + status.pruned == 20 == len(record.trials)
    assert all(tuple(t.objectives) == ("score", "inference_time", "parameters") for t in record.trials)
    assert [row.trial for row in status.front] == [t.number for t in pareto_trials(record)]


@pytest.mark.slow
def test_a_driver_takes_over_from_one_that_was_killed(url: str) -> None:
    first = _start(url, "trials=8", "lease=2")
    assert first.stdout is not None
    stored = [first.stdout.readline().split()[1] for _ in range(5)]
    second = _start(url, "trials=8", "lease=2")
    assert second.stdout is not None
    second.stdout.readline()
    first.kill()
    rest = [line.split()[1] for line in first.communicate()[0].splitlines() if line.startswith("replicate")]
    output = second.communicate(timeout=200)[0]
    assert second.returncode == 0, output
    with Store(url, read_only=True) as store:
        record, status = store.record("small"), store.status("small")
    assert status.complete + status.pruned == 8 == len(record.trials)
    assert {t.state for t in record.trials} <= {"COMPLETE", "PRUNED"}
    assert set(stored + rest) <= {r.key for r in record.replicates}
