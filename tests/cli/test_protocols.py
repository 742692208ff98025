"""`protocols` on a terminal and in files: every number that leaks is marked, none has an interval it cannot have."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

QUICK = ("--workers", "0", "--seeds", "2", "--set", "encoder.patch=16", "--set", "training.epochs=2")


@pytest.fixture
def call(cli: Cli, small_table: Path):
    def run(*more: str | Path):
        done = cli("protocols", "--data", small_table, "--baselines", "cosine", *QUICK, *more)
        assert done.code == 0, done.err
        return done

    return run


def test_terminal_and_files_say_the_same(call, tmp_path: Path):
    files = {suffix: tmp_path / f"found.{suffix}" for suffix in ("json", "csv", "html")}
    shown = {suffix: call("--out", path).out for suffix, path in files.items()}
    out = shown["json"]
    assert "random-pairs (leaking)" in out and "starting configuration" in out and "union-find" in out
    document = json.loads(files["json"].read_text())
    rows = document["rows"]
    assert {r["method"] for r in rows} == {"union-find", "cosine", "training-centroid", "starting configuration"}
    for r in rows:
        assert r["leaking"] == (r["protocol"] == "random-pairs")
        assert (r["low"] is not None) == (r["protocol"] == "batch-disjoint"), r
        assert r["repeats"] == 2
    assert document["union_find_expected"]["batch-disjoint"] == 0.5
    table = list(csv.DictReader(files["csv"].read_text().splitlines()))
    assert [(r["method"], r["metric"], r["leaking"]) for r in table] == [
        (r["method"], r["metric"], str(r["leaking"])) for r in rows
    ]
    assert [float(r["value"]) for r in table] == [r["value"] for r in rows]
    page = files["html"].read_text()
    assert page.count("random-pairs (leaking)</th>") == 3 and 'class="leak"' in page and "<script" not in page
    leaking = next(r for r in rows if r["protocol"] == "random-pairs" and r["method"] == "cosine")
    told = f"{leaking['value']:.3f}".lstrip("0")
    assert f"{told} ±" in out and f"{told} ±" in page


def test_an_exported_winner_says_that_it_was_chosen_here(call, cli: Cli, small_table: Path, tmp_path: Path):
    from tests.cli.conftest import SMALL

    assert cli("run", "--study", "quick", "--data", small_table, "--name", "s", *SMALL).code == 0
    exported = cli("export", "s", "-o", "best.yaml", "--trial", "0")
    assert exported.code == 0, exported.err
    out = call("--config", "best.yaml").out
    assert "best: was chosen on these spectra, which flatters it in every column" in out
    assert "starting configuration" not in out


def test_a_study_brings_its_presets(small_table: Path):
    from spectrosim_search.cli_protocols import _models
    from spectrosim_search.search.documents import load_preset
    from spectrosim_search.search.run import prepare_study

    names = ("spectrosim-paper", "spectrosim-chapter")
    prepared = prepare_study("transformer", data=str(small_table))
    found = _models(prepared, [], [], [], "sqlite://")
    assert [m.name for m in found] == ["starting configuration", *(f"preset {name}" for name in names)]
    assert [m.configuration for m in found[1:]] == [load_preset(name) for name in names]
    (named,) = _models(prepared, [], [names[1]], [], "sqlite://")
    assert named == found[2]
    assert [m.name for m in _models(prepare_study("quick", data=str(small_table)), [], [], [], "")] == [
        "starting configuration"
    ]


@pytest.mark.slow
def test_published_configurations_stand_in_the_table(cli: Cli, small_table: Path, tmp_path: Path):
    options = ("--workers", "0", "--seeds", "1", "--folds", "2", "--baselines", "cosine", "--out", tmp_path / "p.json")
    presets = ("--preset", "spectrosim-paper", "--preset", "spectrosim-chapter")
    done = cli("protocols", "--data", small_table, *options, *presets)
    assert done.code == 0, done.err
    assert "starting configuration" not in done.out
    rows = json.loads((tmp_path / "p.json").read_text())["rows"]
    for name in ("preset spectrosim-paper", "preset spectrosim-chapter"):
        own = {(r["protocol"], r["metric"]): r for r in rows if r["method"] == name}
        assert {protocol for protocol, _ in own} == {"random-pairs", "shared-batch", "batch-disjoint"}
        assert all((r["low"] is not None) == (r["protocol"] == "batch-disjoint") for r in own.values())
        assert name in done.out
    paper = {r["protocol"]: r["value"] for r in rows if r["method"].endswith("paper") and r["metric"] == "auc"}
    assert paper["random-pairs"] > paper["batch-disjoint"]  # pairs of known batches are easier


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind: linear-metric\n", "is a fixed method: name it in --baselines (linear-metric-tuned)"),
        ("kind: linear-metric\nlinear_metric: {comparison: plda, settings: fixed}\n", "--baselines (plda)"),
        ("kind: committee\nmembers: [{encoder: {type: cnn}}, {encoder: {type: transformer}}]\n", "is a committee"),
    ],
)
def test_exports_that_are_no_one_configuration(cli: Cli, small_table: Path, tmp_path: Path, text: str, says: str):
    (tmp_path / "best.yaml").write_text(text)
    done = cli("protocols", "--data", small_table, "--workers", "0", "--config", "best.yaml")
    assert done.code == 2 and says in done.err.replace("\n", " "), done.err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (("--out", "x.xlsx"), ".html, .csv, .json"),
        (("--pair-split", "0.2"), ".5 to .9"),
        (("--preset", "spectrosim-papr"), "spectrosim-paper"),
        (("--baselines", "cosin"), "cosine"),
        (("--config", "nowhere.yaml"), "nowhere.yaml"),
        (("--preset", "spectrosim-paper", "--preset", "spectrosim-paper"), "one name"),
    ],
)
def test_wrong_input_is_one_line(cli: Cli, small_table: Path, options, says):
    done = cli("protocols", "--data", small_table, "--workers", "0", *options)
    assert done.code == 2 and says in done.err and len(done.err.strip().splitlines()) == 1
