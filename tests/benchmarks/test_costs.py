from __future__ import annotations

import math
from pathlib import Path

import pytest

from benchmarks._driving import bench_for, fill
from benchmarks.driver_costs import drive, time_asks, trials_in
from benchmarks.growth import exponent, made_up_spectra, stages_of_spectra, stages_of_trials
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.store import Store


def test_exponent_is_the_slope_on_log_scales() -> None:
    assert exponent([10, 100, 1000], [0.5, 1.0, 10.0]) == pytest.approx(1.0)
    assert exponent([10, 20], [1.0, 4.0]) == pytest.approx(2.0)
    assert math.isnan(exponent([10, 20], [1e-4, 2e-4]))
    assert math.isnan(exponent([10], [1.0]))


def test_every_stage_of_spectra_is_timed(tmp_path: Path) -> None:
    found = stages_of_spectra(made_up_spectra(80, 208), load_study("transformer"), tmp_path)
    assert {"read (npz)", "design", "leakage audit", "one epoch", "jackknife, matched AUC", "store, others"} <= set(
        found
    )
    assert all(seconds >= 0 for seconds in found.values())


def test_a_made_up_past_is_one_the_driver_goes_on_from(tmp_path: Path) -> None:
    bench = bench_for("transformer", 10**6)
    with Store(tmp_path / "a.db") as store:
        assert trials_in(store, bench) == 0
        fill(store, bench, 0, 13)
        assert trials_in(store, bench) == 13
        status = store.status("transformer")
        assert (status.complete + status.pruned, status.running) == (13, 0)
        assert len(time_asks(store, bench, 2)) == 2
        costs = drive(store, bench, 13, 2, 2, 0.0)
        assert len(costs.asks) == 2
        assert costs.replicates >= 2
        assert trials_in(store, bench) == 15
        record = store.record("transformer")
        assert {t.state for t in record.trials} == {"COMPLETE", "PRUNED", "FAIL"}
        assert set(stages_of_trials(store, bench, tmp_path / "a.db")) >= {"status", "record"}
