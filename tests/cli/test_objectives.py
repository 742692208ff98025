"""Several objectives on the command line: asked for, shown, exported."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import SMALL, Cli

VARIED = ("--vary", "encoder.width=16|32", "--vary", "head.out=8|32")


def test_a_wrong_objective_is_one_line_with_the_nearest_name(cli: Cli, small_table: Path) -> None:
    done = cli("run", "--study", "quick", "--data", small_table, *SMALL, "--objectives", "score,parametrs")
    assert done.code == 2
    assert done.err.count("\n") == 1
    assert "objectives" in done.err and "did you mean 'parameters'?" in done.err
    assert not Path("spectrosim.db").exists()


@pytest.mark.slow
def test_search_confirm_report_and_export_the_front(cli: Cli, small_table: Path) -> None:
    arguments = ("run", "--study", "quick", "--data", small_table, "--name", "job", *SMALL, *VARIED)
    several = (*arguments, "--objectives", "score,inference_time,parameters", "--set", "confirmation.front=1")
    done = cli(*several, "--trials", "5", "--report", "r.html")
    assert done.code == 0, done.err
    assert "Objectives: highest score, lowest inference time" in done.out
    page = Path("r.html").read_text()
    assert 'id="front-table"' in page and 'data-figure="figure-pareto"' in page

    status = json.loads(cli("status", "job", "--json").out)
    assert status["objectives"] == ["score", "inference_time", "parameters"]
    assert status["front"] and all(row["measured"] > 0 for row in status["front"])
    shown = cli("status", "job").out
    assert "Pareto front" in shown

    assert cli("export", "job", "-o", "front", "--pareto").code == 0
    written = sorted(p.name for p in Path("front").iterdir())
    assert written == sorted(f"trial-{row['trial']}.yaml" for row in status["front"])
    for row in status["front"]:
        document = yaml.safe_load(Path(f"front/trial-{row['trial']}.yaml").read_text())
        assert document["provenance"]["objectives"]["parameters"] == row["objectives"]["parameters"]
    trained = cli("train", f"front/{written[0]}", "--data", small_table, "--out", "model", "--seeds", "1")
    assert trained.code == 0, trained.err

    both = cli("export", "job", "-o", "front", "--pareto", "--trial", "0")
    assert both.code == 2 and "give one of them" in both.err
    single = cli(*arguments, "--trials", "5")
    assert single.code == 2 and "objectives was" in single.err, "another question"
    again = cli(*several, "--trials", "6")
    assert again.code == 0, again.err
    status = json.loads(cli("status", "job", "--json").out)
    assert status["complete"] + status["pruned"] == 6
