"""Names of files, studies and samples are shown as they are, brackets and all."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from spectrosim_search.cli_display import ProgressDisplay, table
from spectrosim_search.search.progress import SearchProgress
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.writers import write
from tests.cli.conftest import Cli, columns

Rows = list[list[str]]
COSINE = "baselines=[cosine]"


def test_names_in_brackets_are_no_markup(
    cli: Cli, edited: Callable[[Callable[[Rows], None]], Path], tmp_path: Path
) -> None:
    def change(rows: Rows) -> None:
        rows[3][0] = "[b]blank[/c]"
        for at in columns(rows):
            rows[3][at] = "0"
        for row in rows[1:]:
            row[rows[0].index("label")] = "[control]"

    path = tmp_path / "fish[old].csv"
    shutil.move(edited(change), path)
    done = cli("data", "inspect", path)
    assert done.code == 0, done.err
    assert "fish[old]" in done.out
    assert "[control], 35" in done.out
    assert "warning: left out 1 spectra that are zero throughout ([b]blank[/c])" in done.out


def test_studies_in_brackets_keep_their_name(cli: Cli) -> None:
    write(simulate("reims", seed=1, batches=6, channels=40), "few.csv")
    name = "fish [a]"
    done = cli("run", "--study", "quick", "--data", "few.csv", "--name", name, "--workers", "0", "--set", COSINE)
    assert done.code == 0, done.err
    assert name in cli("studies").out
    assert name in cli("status", name).out
    assert f"{name}: " in cli("compare", name).out


def test_titles_and_headings_too(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    Console(width=100).print(table(("[x]", "[y]"), [("[a]", "[/b]")], title="study [z]"))
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("[x]", "[y]", "[a]", "[/b]", "study [z]"))


def test_a_spread_that_nobody_knows_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    one = SearchProgress(2, 0, 0, 0, 1, 1, 0, 0.9, math.nan, 60.0, 1.0, math.nan, 0.5)
    ProgressDisplay(None, quiet=False, on=Console(width=200)).event(one)
    assert "best 0.900 (trial 0)" in capsys.readouterr().out
