"""A committee from the question to verified pairs."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import yaml

from tests.cli.conftest import Cli
from tests.search.test_committee import QUICK


def test_from_study_to_verified_pairs(cli: Cli, small_table: Path) -> None:
    options = [part for option in QUICK for part in ("--set", option)]
    done = cli(
        "run",
        "--study",
        "whitened",
        "--data",
        small_table,
        "--name",
        "job",
        "--workers",
        "0",
        "--minutes",
        "0",
        *options,
    )
    assert done.code == 0, done.err
    assert "ommittee of 4 trials" in done.out
    assert cli("export", "job", "-o", "committee.yaml", "--committee").code == 0
    document = yaml.safe_load(Path("committee.yaml").read_text())
    assert document["kind"] == "committee"
    assert len(document["members"]) == 4
    assert document["provenance"]["scores"]["matched_auc"]["value"] > 0
    both = cli("export", "job", "-o", "x.yaml", "--committee", "--trial", "0")
    assert both.code == 2
    assert "give one of them" in both.err
    trained = cli("train", "committee.yaml", "--data", small_table, "--out", "model", "--seeds", "1")
    assert trained.code == 0, trained.err
    assert "committee of 4" in (Path("model") / "README.md").read_text()
    verified = cli("verify", "model", small_table)
    assert verified.code == 0, verified.err
    assert len(list(csv.DictReader(io.StringIO(verified.out)))) == 36 * 35 // 2
