"""The same study on a real PostgreSQL server, and two drivers on one study at the same time."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.sessions import everything, exactly, reaches, read, run, session, stored, trained

pytestmark = pytest.mark.slow
Job = tuple[str | Path, ...]


def longer(job: Job, url: str) -> Job:
    """Long enough for two drivers to meet."""
    slower = ("training.epochs=20" if a == "training.epochs=10" else a for a in job)
    return (*slower, "--trials", "12", "--workers", "0", "--storage", url)


def test_the_same_study_as_in_a_file(job: Job, whole: Path, url: str, tmp_path: Path) -> None:
    run(tmp_path, *job, "--workers", "0", "--storage", url)
    assert everything(read(url)) == everything(read(whole))
    assert "geheim" not in run(tmp_path, "studies", "--storage", url)


def test_two_drivers_on_one_study(job: Job, url: str, tmp_path: Path) -> None:
    arguments = longer(job, url)
    logs = [tmp_path / "first.txt", tmp_path / "second.txt"]
    with session(tmp_path, arguments, log=logs[0]) as first:
        reaches(first, url, 1)
        with session(tmp_path, arguments, log=logs[1]) as second:
            first.end()
            second.end()
    record = read(url)
    exactly(record, 12)
    searched = [key for log in logs for key in _of(log, "search")]
    assert all(_of(log, "search") for log in logs), "both took part"
    assert sorted(searched) == sorted(r.key for r in record.replicates if r.phase == "search"), (
        "no replicate was trained twice"
    )
    confirmed = {r.key for r in record.replicates if r.phase == "confirm"}
    assert {key for log in logs for key in _of(log, "confirm")} == confirmed


def test_a_driver_takes_over_from_a_killed_one(job: Job, url: str, tmp_path: Path) -> None:
    arguments = longer(job, url)
    logs = [tmp_path / "first.txt", tmp_path / "second.txt"]
    with session(tmp_path, arguments, log=logs[0]) as first:
        reaches(first, url, 1)
        with session(tmp_path, arguments, log=logs[1]) as second:
            reaches(first, url, stored(url) + 3)
            first.process.kill()
            first.process.wait()
            second.end()
    record = read(url)
    exactly(record, 12)
    delivered = [key for log in logs for key in trained(log)]
    assert len(set(delivered)) == len(delivered), "no replicate was trained twice"
    assert set(delivered) <= {r.key for r in record.replicates}
    assert len(record.replicates) - len(delivered) <= 1, "stored in the instant before the driver died"


def _of(log: Path, phase: str) -> list[str]:
    lines = [line.split("\t") for line in log.read_text().splitlines()] if log.exists() else []
    return [key for this, key, _ in lines if this == phase]
