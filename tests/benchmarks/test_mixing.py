"""What learning from mixtures is worth, in small: both parts run and say shares; judged units are whole."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import identification, mixing
from spectrosim_search.learning.engine import single_thread
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.writers import write

ROW = re.compile(r"^  (sums of class centres|learnt, ridge \S+, shrinkage \S+) +(\d\.\d{3})  (\d\.\d{3})  (\d\.\d{3})$")


def shown(text: str) -> dict[str, list[list[float]]]:
    """Encoder → its rows."""
    out: dict[str, list[list[float]]] = {}
    for line in text.splitlines():
        row = ROW.match(line)
        if row is None:
            rows = out.setdefault(line, [])
        else:
            rows.append([float(share) for share in row.groups()[1:]])
    return out


def test_of_a_stored_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "found.jsonl"
    small = ["--classes", "8", "--spectra", "6"]
    given = identification.parser().parse_args(["--parts", "full", *small, "--epochs", "2", "--out", str(out)])
    identification.run(given)
    capsys.readouterr()
    model = tmp_path / "found-8-6-0.npz"
    command = ["mixing", "classes", *small, "--seed", "0", "--model", str(model), "--mixtures", "40"]
    monkeypatch.setattr("sys.argv", [*command, "--ridge", "--shrinkage", "0.1"])
    with single_thread():
        mixing.main()
    ((name, rows),) = shown(capsys.readouterr().out).items()
    assert name == "stored model" and len(rows) == 3
    assert all(0 <= share <= 1 for row in rows for share in row)
    monkeypatch.setattr("sys.argv", ["mixing", "classes"])
    with pytest.raises(SystemExit):
        mixing.main()
    assert "part classes needs --model" in capsys.readouterr().err


def test_of_a_table_of_spectra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(simulate("class-table", classes=6, spectra=6, channels=300, margin=20, shift=4), tmp_path / "s.csv")
    command = ["mixing", "spectra", "--data", str(tmp_path / "s.csv"), "--splits", "1", "--mixtures", "30"]
    monkeypatch.setattr("sys.argv", [*command, "--per-class", "5", "--ridge", "--shrinkage"])
    with single_thread():
        mixing.main()
    tables = shown(capsys.readouterr().out)
    assert list(tables) == list(mixing.ENCODERS)
    assert all(len(rows) == 2 for rows in tables.values())


def test_units_are_judged_whole_and_some_always_train() -> None:
    codes = np.repeat(np.arange(4), [6, 6, 3, 2])
    units = np.array([*"aabbcc", *"ddddef", *"ghi", *"jj"])
    for split in range(5):
        judged = mixing._judged(codes, units, split)
        assert not any(set(units[judged]) & set(units[~judged]))
        assert np.bincount(codes[~judged], minlength=4).min() > 0
        assert not judged[codes == 3].any() and judged[codes == 2].sum() == 1
