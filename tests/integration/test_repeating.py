"""The same command and seed give the same study; the number of workers changes no replicate."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.sessions import everything, exactly, read, run, scores

pytestmark = pytest.mark.slow
Job = tuple[str | Path, ...]


def test_one_worker_twice_is_the_same_study(job: Job, whole: Path, tmp_path: Path) -> None:
    run(tmp_path, *job, "--workers", "1")
    again = read(tmp_path / "spectrosim.db")
    exactly(again, 6)
    assert everything(again) == everything(read(whole))


def test_in_process_is_the_same_study_again(job: Job, whole: Path, tmp_path: Path) -> None:
    run(tmp_path, *job, "--workers", "0")
    assert everything(read(tmp_path / "spectrosim.db")) == everything(read(whole))


def test_two_workers_change_no_replicate(job: Job, whole: Path, tmp_path: Path) -> None:
    run(tmp_path, *job, "--workers", "2")
    two = read(tmp_path / "spectrosim.db")
    exactly(two, 6)
    here, there = scores(two), scores(read(whole))
    both = here.keys() & there.keys()
    assert len({configuration for _, configuration, _, _ in both}) >= 4, "the trials before the sampler has learnt"
    assert {key: here[key] for key in both} == {key: there[key] for key in both}
    assert len({r.worker for r in two.replicates}) == 2
