"""Running the command line inside the test process."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.writers import write


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str


Cli = Callable[..., Done]


@pytest.fixture
def cli(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Cli:
    """Run one command in an empty folder; its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str | Path) -> Done:
        from spectrosim_search.cli import main

        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["spectrosim-search", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def small_table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of 36 simulated spectra in 12 groups, 160 channels."""
    path = tmp_path_factory.mktemp("tables") / "small.csv"
    write(simulate("reims", seed=3, batches=12, channels=160), path)
    return path


@pytest.fixture
def edited(small_table: Path, tmp_path: Path) -> Callable[[Callable[[list[list[str]]], None]], Path]:
    """Copy the small table with its cells changed."""

    def make(change: Callable[[list[list[str]]], None]) -> Path:
        rows = [line.split(",") for line in small_table.read_text().splitlines()]
        change(rows)
        path = tmp_path / "edited.csv"
        path.write_text("\n".join(",".join(r) for r in rows) + "\n")
        return path

    return make


SMALL = (
    "--workers",
    "0",
    "--set",
    "encoder.patch=16",
    "--set",
    "training.epochs=3",
    "--set",
    "protocol.seeds=2",
    "--set",
    "confirmation.finalists=1",
    "--seeds",
    "2",
    "--trials",
    "3",
)
"""Options that make a study of the small table take seconds."""


def columns(rows: list[list[str]]) -> list[int]:
    """Places of the axis columns."""
    return [i for i, name in enumerate(rows[0]) if name.replace(".", "", 1).isdigit()]


def finite(values: list[float]) -> bool:
    """Whether all are finite."""
    return bool(np.isfinite(values).all())
