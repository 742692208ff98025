from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from benchmarks._proposing import Nearest
from benchmarks._replay import plain
from benchmarks._table import read, record
from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import Protocol
from spectrosim_search.search.workers.trainer import Trainer
from tests.search.searching import small_spectra, small_study


def test_a_recording_goes_on_where_it_stopped_and_can_be_searched(tmp_path: Path) -> None:
    spectra, file = small_spectra(), tmp_path / "table.db"
    study = dataclasses.replace(small_study(4), protocol=Protocol(folds=3, seeds=1))
    trainer = Trainer(spectra, study, worker="test")
    with pytest.raises(InputError, match="no table"):
        read(file)
    assert record(file, study, trainer, configurations=1, minutes=0.0, say=lambda text: None) == 0
    with pytest.raises(InputError, match="no complete configuration"):
        read(file)
    said: list[str] = []
    assert record(file, study, trainer, configurations=2, minutes=5.0, say=said.append) == 2
    first = read(file)
    assert record(file, study, trainer, configurations=3, minutes=5.0, share=(2, 3), say=said.append) == 3
    assert len(said) == 3, "what was recorded is not trained again"
    table = read(file)
    assert [e.number for e in table.entries] == [0, 1, 2]
    assert [len(e.cells) for e in table.entries] == [3, 3, 3]
    assert table.entries[0].score == first.entries[0].score
    assert len({str(e.parameters) for e in table.entries}) == 3
    for cell in table.entries[0].cells:
        assert cell.schedule == 2
        assert cell.curve.shape == (3,)
        assert cell.epochs == 2
    # TPE's proposals are replaced by what is in the table, each drawn once
    trace = plain(table, Nearest(table, 0), 5)
    assert trace.trials == 3
    assert trace.steps[-1][1] == max(e.score for e in table.entries)
    other = dataclasses.replace(study, seed=1)
    with pytest.raises(InputError, match="another study"):
        record(file, other, Trainer(spectra, other, worker="test"), configurations=1, minutes=1.0)
    assert np.isfinite(table.entries[0].score)
