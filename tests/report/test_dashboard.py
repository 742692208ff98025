"""Figures in a real Optuna study, and the real dashboard's server."""

from __future__ import annotations

import contextlib
import http.client
import json
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from spectrosim_search.config.errors import InputError, MissingExtraError
from spectrosim_search.report import dashboard
from spectrosim_search.report.members import members
from spectrosim_search.search.records import StudyRecord


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'study.db'}"


def test_figures_are_saved_and_replaced(rich: StudyRecord, build: Callable[..., StudyRecord]) -> None:
    optuna = pytest.importorskip("optuna", reason="optuna is not installed")
    pytest.importorskip("optuna_dashboard", reason="the extra 'dashboard' is not installed")
    study = optuna.create_study(storage=optuna.storages.InMemoryStorage(), study_name="s")
    assert dashboard.attach_figures(study, rich) == [m.name for m in members()]
    before = _saved(study)
    assert len(before) == len(list(members()))
    history = next(v for v in before.values() if "History of the search" in json.dumps(v))
    assert "pruned (37)" in json.dumps(history)
    assert "search scores" in history["layout"]["title"]["text"]
    dashboard.attach_figures(study, build(30, protocol="random-pairs"))
    after = _saved(study)
    assert before.keys() == after.keys(), "replaced, not added"
    assert all("leaking protocol" in v["layout"]["title"]["text"] for v in after.values())


def _saved(study: object) -> dict[str, dict[str, dict[str, dict[str, str]]]]:
    from optuna_dashboard._custom_plot_data import get_plotly_graph_objects

    attributes = study._storage.get_study_system_attrs(study._study_id)  # type: ignore[attr-defined]
    return {key: json.loads(value) for key, value in get_plotly_graph_objects(attributes).items()}


@contextlib.contextmanager
def serving(url: str) -> Iterator[tuple[int, subprocess.Popen[str]]]:
    """The dashboard of a study in a process of its own: its port and the process."""
    optuna = pytest.importorskip("optuna", reason="optuna is not installed")
    pytest.importorskip("optuna_dashboard", reason="the extra 'dashboard' is not installed")
    optuna.create_study(storage=url, study_name="a study")
    port = _free_port()
    code = f"from spectrosim_search.report.dashboard import serve; serve({url!r}, port={port})"
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    try:
        assert "a study" in _fetch(f"http://127.0.0.1:{port}/api/studies", process)
        yield port, process
    finally:
        process.kill()
        process.communicate()


def test_serves_on_the_loopback_address(url: str) -> None:
    with serving(url) as (port, _):
        listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]] if _linux() else []
        own = [row[1] for row in listening if row[3] == "0A" and row[1].endswith(f":{port:04X}")]
        assert own in ([], [f"0100007F:{port:04X}"]), "loopback only"
        with pytest.raises(InputError, match=f"cannot listen on 127.0.0.1:{port}"):
            dashboard.serve(url, port=port)


SLOW = """
import time
import optuna
from spectrosim_search.report.dashboard import serve

class Slow(optuna.storages.InMemoryStorage):
    def get_all_studies(self):
        print("answering", flush=True)
        time.sleep(2)
        return super().get_all_studies()

serve(Slow(), port={port})
"""


def test_an_interrupt_ends_it_in_the_middle_of_an_answer() -> None:
    pytest.importorskip("optuna_dashboard", reason="the extra 'dashboard' is not installed")
    port = _free_port()
    command = [sys.executable, "-c", SLOW.format(port=port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        asking = threading.Thread(target=_ask_until_answered, args=(port, process))
        asking.start()
        try:
            assert process.stdout is not None and process.stdout.readline() == "answering\n"
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=30)[1]
        finally:
            process.kill()
            asking.join()
        assert process.returncode == 0 and "Traceback" not in said
        assert f"Dashboard on http://127.0.0.1:{port}/" in said


def _ask_until_answered(port: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=30).close()
            return
        time.sleep(0.1)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _linux() -> bool:
    return Path("/proc/net/tcp").exists()


def _fetch(address: str, process: subprocess.Popen[str]) -> str:
    deadline = time.monotonic() + 60
    while True:
        try:
            with urllib.request.urlopen(address, timeout=10) as answer:
                return str(answer.read().decode())
        except urllib.error.URLError:
            assert process.poll() is None, "the server has gone"
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.2)


def test_without_the_extra_it_names_it(monkeypatch: pytest.MonkeyPatch, rich: StudyRecord) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    for call in (lambda: dashboard.serve("sqlite://"), lambda: dashboard.attach_figures(object(), rich)):
        with pytest.raises(MissingExtraError, match=r"spectrosim-search\[dashboard\]"):
            call()


@pytest.mark.parametrize("port", [0, -1, 70000])
def test_ports_are_checked(port: int) -> None:
    pytest.importorskip("optuna_dashboard", reason="the extra 'dashboard' is not installed")
    with pytest.raises(InputError, match="between 1 and 65535"):
        dashboard.serve("sqlite://", port=port)


def test_what_counts_as_loopback() -> None:
    assert dashboard._is_loopback("127.0.0.1") and dashboard._is_loopback("::1") and dashboard._is_loopback("localhost")
    assert not dashboard._is_loopback("0.0.0.0") and not dashboard._is_loopback("example.org")
