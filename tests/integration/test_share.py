"""How much of a study's time its workers spend training."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.integration.sessions import exactly, read, run

pytestmark = pytest.mark.slow


def test_workers_train_nine_tenths_of_the_time(tmp_path: Path) -> None:
    """The bundled quick study on its embedded data, two workers, after start-up."""
    settings = ("--trials", "12", "--seeds", "2", "--set", "confirmation.finalists=1", "--minutes", "0")
    printed = run(tmp_path, "run", "--study", "quick", "--name", "s", "--workers", "2", *settings)
    share = re.search(r"workers trained (\d+)% of the search's time after start-up", printed)
    assert share is not None, printed
    assert int(share[1]) >= 90, printed
    record = read(tmp_path / "spectrosim.db")
    exactly(record, 12)
    assert len({r.worker for r in record.replicates}) == 2
