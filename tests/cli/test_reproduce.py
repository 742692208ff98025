"""`reproduce` on a terminal and in files: printed figures beside ours, what leaks is marked."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

QUICK = ("--workers", "0", "--seeds", "1", "--set", "training.epochs=2")


def test_terminal_files_and_database(cli: Cli, small_table: Path, tmp_path: Path):
    call = ("reproduce", "spectrosim-table-2", "--data", small_table, "--rows", "lda,kan-contrastive", *QUICK)
    files = {suffix: tmp_path / f"found.{suffix}" for suffix in ("json", "csv", "html")}
    done = cli(*call, "--output", files["json"])
    assert done.code == 0, done.err
    assert "random-pairs (leaking)" in done.out and ".564 ± .027" in done.out and "union-find" in done.out
    assert "seed 1 of 1" in done.err and "seed 1 of 1" not in done.out
    document = json.loads(files["json"].read_text())
    printed = {r["row"]: r["printed_percent"] for r in document["rows"]}
    assert printed == {
        "union-find": None,
        "cosine": None,
        "linear-metric": None,
        "lda": 56.35,
        "kan-contrastive": 93.75,
    }
    for r in document["rows"]:
        assert r["leaking"] == (r["column"] != "batch-disjoint") == (r["low"] is None), r

    for suffix in ("csv", "html"):
        again = cli(*call, "--json", "--output", files[suffix])
        assert again.code == 0 and json.loads(again.out) == document, again.err
    table = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert [float(r["value"]) for r in table] == [r["value"] for r in document["rows"]]
    page = files["html"].read_text()
    assert 'class="leak"' in page and "<script" not in page and ".564 ± .027" in page

    markdown = cli(*call, "--markdown").out
    assert "| LDA | .564 ± .027 |" in markdown
    for command in (("status", "spectrosim-table-2-small"), ("studies",), ("report", "spectrosim-table-2-small")):
        shown = cli(*command)
        assert shown.code == 0, (command, shown.err)
    more = cli(*call, "--set", "objective.temperature=0.1")
    assert more.code == 2 and "another question" in more.err and "--name" in more.err


def test_a_table_that_names_classes(cli: Cli, tmp_path: Path):
    sizes = ("batches=12", "batch_size=4", "channels=60")
    small = [f"data.simulator_parameters.{s}" for s in sizes] + ["protocol.folds=2"]
    settings = [part for s in small for part in ("--set", s)]
    call = ("reproduce", "pretext-classifiers", "--rows", "knn", "--workers", "0", "--seeds", "1", *settings)
    files = {suffix: tmp_path / f"found.{suffix}" for suffix in ("json", "csv", "html")}
    done = cli(*call, "--output", files["json"])
    assert done.code == 0, done.err
    assert "plain folds (leaking)" in done.out and "whole groups held out" in done.out and "printed, tablet" in done.out
    document = json.loads(files["json"].read_text())
    assert document["leaks"] and document["table"] == "pretext-classifiers"
    for r in document["rows"]:
        if r["column"].startswith("printed"):
            assert r["leaking"] == "unknown" and r["seeds"] == 0
        else:
            assert r["leaking"] == ("yes" if "leaking" in r["column"] else "no") and r["seeds"] == 1
            assert (r["low"] is None) == (r["leaking"] == "yes"), r
    for suffix in ("csv", "html"):
        again = cli(*call, "--json", "--output", files[suffix])
        assert again.code == 0 and json.loads(again.out) == document, again.err
    table = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert [float(r["value"]) for r in table] == [r["value"] for r in document["rows"]]
    page = files["html"].read_text()
    assert page.count('class="leak"') == 1 and "<script" not in page and "Zhao" in page
    assert "| kNN | .828 | .839 | .855 | .598 |" in cli(*call, "--markdown").out
    for command in (("status", "pretext-classifiers"), ("studies",), ("report", "pretext-classifiers")):
        shown = cli(*command)
        assert shown.code == 0, (command, shown.err)
    more = cli(*call, "--set", "encoder.width=4")
    assert more.code == 2 and "another question" in more.err and "--name" in more.err


def test_lists(cli: Cli):
    tables = cli("reproduce", "--list").out
    assert "chapter-cost" in tables and "spectrosim-table-4" in tables
    assert all(name in tables for name in ("triplets", "pretext-fractions", "synthesis-similarity"))
    rows = cli("reproduce", "chapter-frameworks", "--list").out
    assert "barlow-twins" in rows and "48.3" in rows
    rows = cli("reproduce", "triplets", "--list").out
    assert "99.03" in rows and "benchmarks.identification" in rows


def test_costs_stand_beside_the_printed_ones(cli: Cli, monkeypatch: pytest.MonkeyPatch):
    done = cli("reproduce", "chapter-cost", "--rows", "kan", "--markdown")
    assert done.code == 0, done.err
    assert "283.67" in done.out or "284" in done.out


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ((), "name a table"),
        (("spectrosim-table-9",), "did you mean"),
        (("spectrosim-table-2", "--rows", "ldaa"), "lda"),
        (("spectrosim-table-2", "--output", "x.xlsx"), ".html, .csv, .json"),
        (("spectrosim-table-2", "--seeds", "0", "--rows", "lda", "--workers", "0"), "0 seeds"),
        (("spectrosim-table-2", "--data", "nowhere.csv"), "nowhere.csv"),
        (("synthesis-classifiers", "--data", "nowhere.csv"), "nowhere.csv"),
        (("pretext-fractions", "--rows", "knn"), "knn-5"),
        (("triplets", "--rows", "challenge"), "benchmarks.identification"),
        (("chapter-cost", "--output", "x.html"), "--markdown"),
    ],
)
def test_wrong_input_is_one_line(cli: Cli, options, says):
    done = cli("reproduce", *options)
    assert done.code == 2 and says in done.err and len(done.err.strip().splitlines()) == 1, done.err
