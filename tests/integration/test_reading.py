"""Commands that only read: on a finished study, on one that is running, and the dashboard."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.integration.sessions import reaches, read, run, session, until

pytestmark = pytest.mark.slow
Job = tuple[str | Path, ...]


def test_all_of_a_finished_study(whole: Path, tmp_path: Path) -> None:
    before = whole.read_bytes()
    storage = ("--storage", str(whole))
    status = json.loads(run(tmp_path, "status", "s", "--json", *storage))
    assert status["complete"] + status["pruned"] == 6
    assert status["confirmed"]
    assert [row["name"] for row in json.loads(run(tmp_path, "studies", "--json", *storage))] == ["s"]
    assert "r.html" in run(tmp_path, "report", "s", "-o", "r.html", *storage)
    page = (tmp_path / "r.html").read_text()
    assert page.count("<html") == 1
    assert read(whole).confirmation is not None
    complete = [t for t in read(whole).trials if t.state == "COMPLETE"]
    for trial in (complete[0], complete[-1]):
        run(tmp_path, "export", "s", "-o", "t.yaml", "--trial", str(trial.number), *storage)
        document = yaml.safe_load((tmp_path / "t.yaml").read_text())
        assert document["kind"] == "model"
        assert trial.configuration is not None
        assert trial.configuration.identity in (tmp_path / "t.yaml").read_text()
    assert "Winner" in run(tmp_path, "compare", "s", "s", *storage)
    assert whole.read_bytes() == before, "reading changed the database"


def test_deleting_one_of_two_studies(job: Job, whole: Path, tmp_path: Path) -> None:
    (tmp_path / "spectrosim.db").write_bytes(whole.read_bytes())
    small = ("--workers", "0", "--trials", "2", "--name", "other")
    run(tmp_path, *job, *small)
    both = json.loads(run(tmp_path, "studies", "--json"))
    assert [row["name"] for row in both] == ["s", "other"]
    assert "deleted s" in run(tmp_path, "delete", "s", "--yes")
    assert [row["name"] for row in json.loads(run(tmp_path, "studies", "--json"))] == ["other"]
    run(tmp_path, *job, *small)
    assert read(tmp_path / "spectrosim.db", "other").confirmation is not None


def test_while_a_study_is_running(job: Job, tmp_path: Path) -> None:
    file = tmp_path / "spectrosim.db"
    with session(tmp_path, (*job, "--trials", "500", "--workers", "0")) as one:
        reaches(one, file, 5)
        first = json.loads(run(tmp_path, "status", "s", "--json"))
        assert len(first["drivers"]) == 1
        assert not first["confirmed"]
        assert Path(run(tmp_path, "report", "s", "-o", str(tmp_path / "r.html")).strip()).stat().st_size > 100_000
        assert "s" in run(tmp_path, "studies")
        run(tmp_path, "export", "s", "-o", "t.yaml", "--trial", "0")
        with session(tmp_path, ("delete", "s", "--yes")) as refused:
            assert refused.process.wait(60) == 2
        assert "is being worked on" in refused.text()
        with session(tmp_path, (*job, "--workers", "0")) as second:
            assert second.process.wait(60) == 2
        assert second.text().splitlines()[-1].startswith("error: study 's' is being worked on by process")
        second_look = json.loads(run(tmp_path, "status", "s", "--json"))
        assert sum(second_look["replicates"].values()) > sum(first["replicates"].values()), "it went on meanwhile"
        one.process.send_signal(signal.SIGINT)
        assert one.process.wait(60) == 130, one.text()


def test_the_dashboard_shows_pruned_trials(whole: Path, tmp_path: Path) -> None:
    pytest.importorskip("optuna_dashboard", reason="the extra 'dashboard' is not installed")
    file = tmp_path / "copy.db"
    file.write_bytes(whole.read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    record = read(file)
    with session(tmp_path, ("dashboard", "s", "--storage", str(file), "--port", str(port))) as one:
        api = f"http://127.0.0.1:{port}/api/studies"
        until(lambda: _answers(api) or one.process.poll() is not None, "the dashboard does not answer")
        assert one.process.poll() is None, one.text()
        (entry,) = _fetch(api)["study_summaries"]
        assert entry["study_name"] == "s"
        study = _fetch(f"{api}/{entry['study_id']}")
        shown = {t["number"]: t for t in study["trials"]}
        assert {n: t["state"].upper() for n, t in shown.items()} == {
            t.number: {"FAIL": "FAIL"}.get(t.state, t.state) for t in record.trials
        }
        pruned = [t for t in record.trials if t.state == "PRUNED"]
        assert pruned
        for trial in pruned:
            values = {v["step"]: v["value"] for v in shown[trial.number]["intermediate_values"]}
            assert values == pytest.approx(dict(trial.intermediate))
            assert values
        assert len(study["plotly_graph_objects"]) >= 5, "the report's figures are there"
        assert {Path(a["filename"]).suffix for a in study["artifacts"]} == {".html", ".yaml"}
        html = next(a for a in study["artifacts"] if a["filename"].endswith(".html"))
        address = f"http://127.0.0.1:{port}/artifacts/{entry['study_id']}/{html['artifact_id']}"
        with urllib.request.urlopen(address, timeout=20) as answer:
            assert b"<html" in answer.read()[:4000]
        one.process.send_signal(signal.SIGINT)
        try:
            one.process.wait(20)
        except subprocess.TimeoutExpired:
            pytest.fail("Ctrl-C does not end the dashboard")
        assert "Traceback" not in one.text()


def _fetch(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=20) as answer:
        return json.loads(answer.read())


def _answers(address: str) -> bool:
    try:
        _fetch(address)
    except (urllib.error.URLError, ConnectionError):
        return False
    return True
