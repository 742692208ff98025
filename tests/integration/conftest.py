"""Studies small enough to be run whole, again and again, as separate processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.writers import write
from tests.integration.sessions import run
from tests.search.test_store_postgres import server, url

__all__ = ["server", "url"]  # a real PostgreSQL server and a new database for each test


@pytest.fixture(scope="session")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """36 simulated spectra in 12 groups, 160 channels."""
    path = tmp_path_factory.mktemp("tables") / "small.csv"
    write(simulate("reims", seed=3, batches=12, channels=160), path)
    return path


@pytest.fixture(scope="session")
def job(table: Path) -> tuple[str | Path, ...]:
    """Arguments of a study of 6 trials whose replicates take some tenths of a second, so that it has a middle."""
    options = ("encoder.patch=16", "training.epochs=10", "protocol.seeds=2", "confirmation.finalists=1")
    settings = [part for option in options for part in ("--set", option)]
    budget = ("--trials", "6", "--seeds", "2", "--minutes", "0", "--precision", "fp32")
    return ("run", "--study", "quick", "--data", table, "--name", "s", *settings, *budget)


@pytest.fixture(scope="session")
def whole(job: tuple[str | Path, ...], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Database of the study run with one worker and left in peace; ``output.txt`` beside it is what was printed."""
    folder = tmp_path_factory.mktemp("whole")
    printed = run(folder, *job, "--workers", "1")
    (folder / "output.txt").write_text(printed, encoding="utf-8")
    return folder / "spectrosim.db"
