"""Two Ray nodes on this machine, started as anybody would start them, joined with ``--address``."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.sessions import ROOT, descendants, exactly, reaches, read, run, scores, session, trained, until

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="needs more than one loopback address"),
]
Job = tuple[str | Path, ...]
HEAD, SECOND = "127.0.0.2", "127.0.0.3"


@dataclass(frozen=True)
class Cluster:
    """Its address, its nodes' processes, the environment that holds its token."""

    address: str
    nodes: dict[str, subprocess.Popen[bytes]]
    environment: dict[str, str]

    def stop(self, node: str) -> None:
        """Take one node away at once, as a power cut does."""
        process = self.nodes.pop(node)
        family = {process.pid, *descendants(process.pid)}
        for pid in family:
            _kill(pid)
        process.wait()


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


@contextmanager
def _node(*arguments: str, environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [str(Path(sys.executable).with_name("ray")), "start", *arguments, "--num-cpus=1", "--block"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, f"--object-store-memory={128 << 20}"],
            # what a session of this process has set would forbid a node to join
            env={k: v for k, v in os.environ.items() if k != "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER"} | environment,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        until(lambda: "Ray runtime started" in log.read_text() or process.poll() is not None, "Ray does not start", 60)
        assert process.poll() is None, log.read_text()
        yield process
    finally:
        family = set(descendants(process.pid))
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in family:
            _kill(pid)


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    base = Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))  # paths of sockets must be short
    with socket.socket() as probe:
        probe.bind((HEAD, 0))
        port = probe.getsockname()[1]
    environment = {
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_USAGE_STATS_ENABLED": "0",
        "PYTHONPATH": str(ROOT),  # the nodes have the package installed, as it were
        "OMP_NUM_THREADS": "1",
    }
    address = f"{HEAD}:{port}"
    head = ("--head", f"--node-ip-address={HEAD}", f"--port={port}", f"--temp-dir={base}", "--include-dashboard=false")
    second = (f"--address={address}", f"--node-ip-address={SECOND}")
    try:
        with ExitStack() as stack:
            nodes = {
                HEAD: stack.enter_context(_node(*head, environment=environment, log=tmp_path / "head.txt")),
                SECOND: stack.enter_context(_node(*second, environment=environment, log=tmp_path / "second.txt")),
            }
            yield Cluster(address, nodes, environment)
    finally:
        shutil.rmtree(base, ignore_errors=True)


def test_a_study_runs_across_two_nodes_and_survives_the_loss_of_one(
    cluster: Cluster, job: Job, whole: Path, tmp_path: Path
) -> None:
    file, log = tmp_path / "spectrosim.db", tmp_path / "log.txt"
    token = {"RAY_AUTH_TOKEN": cluster.environment["RAY_AUTH_TOKEN"]}
    arguments = (*job, "--trials", "24", "--workers", "2", "--address", cluster.address)
    with session(tmp_path, arguments, log=log, environment=token) as one:
        until(lambda: _places(log) == {HEAD, SECOND} or one.process.poll() is not None, one.text())
        reaches(one, file, 6)
        before = len(trained(log))
        cluster.stop(SECOND)
        printed = one.end()
    assert "its machine left" in printed or "was lost" in printed, printed
    record = read(file)
    exactly(record, 24)
    workers = {r.worker for r in record.replicates}
    assert {w.rpartition("(")[2].rstrip(")") for w in workers} == {HEAD, SECOND}
    assert len(trained(log)) == len(record.replicates) > before
    assert len(set(trained(log))) == len(record.replicates)
    here, there = scores(record), scores(read(whole))
    both = here.keys() & there.keys()
    assert len(both) > 6
    assert {key: here[key] for key in both} == {key: there[key] for key in both}, "a node changes no replicate"


def _places(log: Path) -> set[str]:
    lines = log.read_text().splitlines() if log.exists() else []
    return {line.split("\t")[2].rpartition("(")[2].rstrip(")") for line in lines}


def test_a_cluster_that_cannot_be_joined_is_one_line(cluster: Cluster, job: Job, tmp_path: Path) -> None:
    wrong = {"RAY_AUTH_TOKEN": secrets.token_hex(32)}
    free = f"{HEAD}:1"
    for address, environment, says in (
        (free, {}, "ray start --head"),
        (cluster.address, wrong, "token"),
    ):
        with session(tmp_path, (*job, "--workers", "2", "--address", address), environment=environment) as one:
            assert one.process.wait(150) == 2, one.text()  # Ray tries a wrong token for a while
        errors = [line for line in one.text().splitlines() if line.startswith("error: ")]
        assert len(errors) == 1, one.text()
        assert f"cannot join the Ray cluster at {address}" in errors[0]
        assert says in errors[0]
        assert "Traceback" not in one.text()
    with session(
        tmp_path, (*job, "--workers", "3", "--address", cluster.address), environment=cluster.environment
    ) as one:
        assert one.process.wait(150) == 2, one.text()  # Ray tries a wrong token for a while
    assert "3 workers were asked for" in one.text()
    assert not list(tmp_path.glob("*.db*")), "nothing was written"


def test_reading_needs_no_cluster(whole: Path) -> None:
    assert '"complete"' in run(whole.parent, "status", "s", "--json")
