"""The benchmark of pretraining goes on where it stopped and tells plain folds from disjoint ones."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import pretraining
from spectrosim_search.spectra.simulators import simulate

SMALL = simulate("nir", classes=2, batches=12, batch_size=3, channels=60, class_spread=0.4)


def test_folds_cut_groups_only_where_they_are_plain() -> None:
    for plain in (False, True):
        cut = 0
        judged_rows = []
        for train, judged in pretraining.folds(SMALL, plain, 0):
            assert not set(train) & set(judged)
            cut += bool(set(SMALL.groups[train]) & set(SMALL.groups[judged]))
            judged_rows += judged.tolist()
        assert sorted(judged_rows) == list(range(len(SMALL)))
        assert cut == (5 if plain else 0)


@pytest.mark.parametrize("method", ["plsda", "no pretraining, classifier only"])
def test_a_cross_validation_repeats(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining, "PROGRAM", {"features": 1, "hidden": 8})
    monkeypatch.setattr(pretraining, "_STEPS", 4)
    one, two = (pretraining.measure(SMALL, method, False, 1, 1.0) for _ in range(2))
    assert {k: v for k, v in one.items() if k != "seconds"} == {k: v for k, v in two.items() if k != "seconds"}
    assert 0 <= one["macro_f1"] <= 1
    if method == "plsda":
        assert one["accuracy"] > 0.8


def test_it_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[tuple[str, bool]] = []

    def measured(spectra: object, method: str, plain: bool, seed: int, fraction: float) -> dict[str, float]:
        asked.append((method, plain))
        if len(asked) == 5:
            raise KeyboardInterrupt
        return {"accuracy": 0.5 + 0.1 * len(asked), "macro_f1": 0.5, "seconds": 1.0}

    monkeypatch.setattr(pretraining, "measure", measured)
    out = tmp_path / "lines.jsonl"
    command = ["x", "main", "--data", str(tmp_path), "--out", str(out), "--seeds", "1", "--sets", "nir (simulated)"]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(KeyboardInterrupt):
        pretraining.main()
    assert len(out.read_text().splitlines()) == 4
    pretraining.main()
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    keys = [(line["method"], line["plain"]) for line in lines]
    assert len(keys) == len(set(keys)) == len(asked) - 1
    assert np.isfinite([line["accuracy"] for line in lines]).all()
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["x", "table", "--out", str(out)])
    pretraining.main()
    told = capsys.readouterr().out
    assert "folds plain" in told
    assert "folds groups disjoint" in told
