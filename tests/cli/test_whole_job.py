"""The main job end to end on a small table: search, confirm, report, export, train, verify, embed - and again."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import SMALL, Cli


@pytest.mark.slow
def test_from_table_to_verified_pairs(cli: Cli, small_table: Path) -> None:
    arguments = ("run", "--study", "quick", "--data", small_table, "--name", "job", *SMALL, "--report", "out/r.html")
    first = cli(*arguments)
    assert first.code == 0, first.err
    assert "smallest difference this design can detect" in first.out
    assert "linear metric" in first.out
    assert "union-find" in first.out
    assert Path("out/r.html").stat().st_size < 8_000_000

    status = json.loads(cli("status", "job", "--json").out)
    assert status["complete"] + status["pruned"] == 3
    before = status["replicates"]

    again = cli(*arguments)
    assert again.code == 0, again.err
    assert json.loads(cli("status", "job", "--json").out)["replicates"] == before, "something was trained twice"

    assert cli("export", "job", "-o", "best.yaml", "--trial", "0").code == 0
    assert yaml.safe_load(Path("best.yaml").read_text())["kind"] == "model"
    trained = cli("train", "best.yaml", "--data", small_table, "--out", "model", "--seeds", "1")
    assert trained.code == 0, trained.err
    assert (Path("model") / "README.md").exists()

    verified = cli("verify", "model", small_table, "--prior", "0.1")
    assert verified.code == 0, verified.err
    rows = list(csv.DictReader(io.StringIO(verified.out)))
    assert len(rows) == 36 * 35 // 2
    assert {"left", "right", "similarity", "same", "probability"} <= set(rows[0])
    gallery = cli("verify", "model", small_table, "--gallery", small_table, "--json")
    assert gallery.code == 0, gallery.err
    assert len(json.loads(gallery.out)) == 36
    assert cli("embed", "model", small_table, "-o", "z.csv").code == 0
    assert len(Path("z.csv").read_text().splitlines()) == 37

    compared = cli("compare", "job", "job")
    assert compared.code == 0, compared.err
    assert cli("delete", "job", "--yes").code == 0
    assert json.loads(cli("studies", "--json").out) == []


def test_other_data_under_the_same_name_are_refused(cli: Cli, small_table: Path, tmp_path: Path) -> None:
    options = ("--study", "quick", "--name", "one", *SMALL[:-2], "--trials", "1", "--set", "ladder.rungs=[1]")
    first = cli("run", "--data", small_table, *options)
    assert first.code == 0, first.err
    other = tmp_path / "other.csv"
    assert cli("data", "simulate", "-o", other, "--seed", "9", "--set", "batches=12", "--set", "channels=160").code == 0
    done = cli("run", "--data", other, *options)
    assert done.code == 2
    assert "one" in done.err
    assert len(done.err.strip().splitlines()) == 1


def test_dry_run_trains_and_writes_nothing(cli: Cli, small_table: Path) -> None:
    done = cli(
        "run", "--study", "quick", "--data", small_table, *SMALL, "--dry-run", "--json", "--report", "new/r.html"
    )
    assert done.code == 0, done.err
    plan = json.loads(done.out)
    assert plan["cells a trial"] == 6
    assert plan["confirmation replicates (at most)"] == 6
    assert 0 < plan["detectable_difference"] < 1
    assert not list(Path.cwd().glob("*.db*"))
    assert not Path("a").exists()


def test_simulate_inspect(cli: Cli) -> None:
    assert cli("data", "simulate", "-o", "fish.csv.gz", "--set", "batches=8", "--set", "channels=64").code == 0
    found = json.loads(cli("data", "inspect", "fish.csv.gz", "--json").out)
    assert found["spectra"] == 24


def test_names_in_square_brackets_are_shown_as_they_are(cli: Cli, tmp_path: Path) -> None:
    rows = [f"{g}{k},{g},benzo[a]pyrene,{i + 1},{k}" for i, g in enumerate("abcdef") for k in (1, 2)]
    (tmp_path / "t.csv").write_text("\n".join(["id,group,label,1,2", *rows, "[/z],a,[bold]:x:,0,0"]), encoding="utf-8")
    found = cli("data", "inspect", str(tmp_path / "t.csv"))
    assert found.code == 0, found.err
    assert "benzo[a]pyrene" in found.out
    assert "warning: left out 1 spectra that are zero throughout ([/z])" in " ".join(found.out.split())
    (tmp_path / "s[a].yaml").write_text("vary: {head.out: [8, 16]}", encoding="utf-8")
    assert "study s[a].yaml" in cli("spaces", "s[a].yaml").out


def test_spaces_lists_what_varies(cli: Cli) -> None:
    assert "transformer" in cli("spaces").out
    rows = json.loads(cli("spaces", "transformer", "--json").out)
    paths = {row["key"] for row in next(iter(rows.values()))}
    assert {"objective.temperature", "training.batch_size", "head.type", "encoder.width"} <= paths


def test_doctor(cli: Cli) -> None:
    checks = {c["name"]: c["state"] for c in json.loads(cli("doctor", "--json").out)}
    assert checks["torch"] == "ok"
    assert checks["database"] == "ok"
