"""Each mistake a user can make ends in one clear line, exit code 2, and nothing half-written."""

from __future__ import annotations

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import SMALL, Cli, columns

Rows = list[list[str]]
Edit = Callable[[Callable[[Rows], None]], Path]


def refused(cli: Cli, *arguments: str | Path, says: tuple[str, ...]) -> None:
    done = cli(*arguments)
    assert done.code == 2, (done.code, done.out, done.err)
    lines = done.err.strip().splitlines()
    assert len(lines) == 1, done.err
    for word in says:
        assert word in lines[0], lines[0]
    assert "Traceback" not in done.err
    assert not list(Path.cwd().glob("*.db*")), "something was written"


def run(table: Path | str) -> tuple[str | Path, ...]:
    return ("run", "--study", "quick", "--data", table, *SMALL)


def test_missing_file(cli: Cli) -> None:
    refused(cli, *run("nowhere.csv"), says=("nowhere.csv", "no such file"))


def test_unknown_suffix(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "spectra.docx").write_text("x")
    refused(cli, *run("spectra.docx"), says=("spectra.docx", "csv"))


def test_no_group_column(cli: Cli, edited: Edit) -> None:
    def change(rows: Rows) -> None:
        rows[0][rows[0].index("group")] = "something"

    refused(cli, *run(edited(change)), says=("no group column", "--group-column"))


def test_unknown_group_column(cli: Cli, small_table: Path) -> None:
    refused(cli, *run(small_table), "--group-column", "grup", says=("grup", "group"))


@pytest.mark.parametrize(("cell", "word"), [("abc", "abc"), ("", "row 5"), ("nan", "row 5"), ("inf", "row 5")])
def test_bad_cell_is_named(cli: Cli, edited: Edit, cell: str, word: str) -> None:
    place: dict[str, str] = {}

    def change(rows: Rows) -> None:
        column = columns(rows)[7]
        place["column"] = rows[0][column]
        rows[4][column] = cell

    path = edited(change)
    refused(cli, *run(path), says=("edited.csv", "row 5", place["column"], word))


def test_duplicated_ids(cli: Cli, edited: Edit) -> None:
    def change(rows: Rows) -> None:
        rows[3][0] = rows[2][0]

    refused(cli, *run(edited(change)), says=("edited.csv", "row"))


def test_repeated_axis_value(cli: Cli, edited: Edit) -> None:
    def change(rows: Rows) -> None:
        a, b = columns(rows)[3:5]
        rows[0][b] = rows[0][a]

    refused(cli, *run(edited(change)), says=("edited.csv",))


def test_one_group_only(cli: Cli, edited: Edit) -> None:
    def change(rows: Rows) -> None:
        at = rows[0].index("group")
        for row in rows[1:]:
            row[at] = "same"

    refused(cli, *run(edited(change)), says=("group",))


def test_too_few_groups_for_the_folds(cli: Cli, small_table: Path) -> None:
    refused(cli, *run(small_table), "--set", "protocol.folds=9", says=("folds",))


def grouped(edited: Edit, groups: int) -> Path:
    """The small table with its twelve groups joined to fewer."""

    def change(rows: Rows) -> None:
        at = rows[0].index("group")
        names = sorted({row[at] for row in rows[1:]})
        for row in rows[1:]:
            row[at] = f"joined {names.index(row[at]) % groups}"

    return edited(change)


def test_three_groups_are_too_few_for_anything(cli: Cli, edited: Edit) -> None:
    refused(cli, *run(grouped(edited, 3)), says=("3 groups", "at least 4"))
    refused(cli, *run(grouped(edited, 3)), "--dry-run", says=("3 groups", "at least 4"))


def test_six_groups_are_compared_not_searched(cli: Cli, edited: Edit) -> None:
    done = cli(*run(grouped(edited, 6)), "--name", "few", "--report", "few.html")
    assert done.code == 0, done.err
    assert "Not searched: 6 groups are too few to search (8 are needed)" in done.out
    assert "Not searched" in Path("few.html").read_text()
    found = json.loads(cli("status", "few", "--json").out)
    assert found["confirmed"] is True
    assert found["complete"] == 0
    assert found["outcome"].startswith("Not searched")
    compared = cli("compare", "few", "few")
    assert compared.code == 0, compared.err
    assert "Not searched" in compared.out
    drawn = cli("report", "few", "-o", "again.html", "--static", "figures")
    assert Path("again.html").exists()
    if importlib.util.find_spec("kaleido") is None:
        assert drawn.code == 2
        assert "spectrosim-search[static]" in drawn.err
    elif shutil.which("chromium"):
        assert drawn.code == 0, drawn.err
        assert Path("figures/methods.png").stat().st_size > 10_000
    refused_trial = cli("export", "few", "-o", "best.yaml", "--trial", "0")
    assert refused_trial.code == 2
    assert "no trial 0" in refused_trial.err


@pytest.mark.parametrize(("baselines", "leads"), [("cosine", "cosine"), ("linear-metric", "linear metric")])
def test_export_of_what_was_not_searched(cli: Cli, edited: Edit, baselines: str, leads: str) -> None:
    table = grouped(edited, 6)
    done = cli(*run(table), "--name", "few", "--set", f"baselines=[{baselines}]")
    assert done.code == 0, done.err
    assert f"{leads} leads" in done.out
    exported = cli("export", "few", "-o", "best.yaml")
    if baselines == "cosine":
        assert exported.code == 2
        assert "nothing to export" in exported.err
        assert len(exported.err.strip().splitlines()) == 1
        assert not Path("best.yaml").exists()
        return
    assert exported.code == 0, exported.err
    assert "nothing was searched" in Path("best.yaml").read_text()
    for place in (".", "best.yaml/again.yaml"):
        nowhere = cli("export", "few", "-o", place)
        assert nowhere.code == 2
        assert len(nowhere.err.strip().splitlines()) == 1, nowhere.err
    into_onnx = ("--onnx", "model.onnx")
    trained = cli("train", "best.yaml", "--data", table, "--out", "model", "--seeds", "1", *into_onnx)
    if any(importlib.util.find_spec(p) is None for p in ("onnx", "onnxscript")):
        assert trained.code == 2
        assert "spectrosim-search[onnx]" in trained.err
        assert not Path("model").exists(), "found out before the training"
        trained = cli("train", "best.yaml", "--data", table, "--out", "model", "--seeds", "1")
        assert trained.code == 0, trained.err
        pytest.skip("the extra 'onnx' is not installed: no ONNX file to look at")
    assert trained.code == 0, trained.err
    import onnx

    assert onnx.load("model.onnx").graph.input[0].name == "intensities"
    nowhere = cli("train", "best.yaml", "--data", table, "--out", "other", "--onnx", "nowhere/model.onnx")
    assert nowhere.code == 2
    assert "nowhere" in nowhere.err
    assert not Path("other").exists()


def test_negative_intensities_with_a_fixed_root(cli: Cli, edited: Edit) -> None:
    def change(rows: Rows) -> None:
        rows[6][columns(rows)[2]] = "-4.5"

    refused(cli, *run(edited(change)), "--set", "preprocessing.intensity=sqrt", says=("sqrt", "negative"))


@pytest.mark.parametrize(
    ("option", "value", "hint"),
    [
        ("--study", "transfomer", "transformer"),
        ("--set", "head.widht=3", "head.width"),
        ("--set", "encoder.type=transfomer", "transformer"),
        ("--set", "training.epochs=lots", "training.epochs"),
        ("--set", "training.epochs=-3", "training.epochs"),
        ("--vary", "temprature=0.1..1", "temperature"),
        ("--vary", "temperature=1..0.1", "temperature"),
        ("--protocol", "batch-disjunct", "batch-disjoint"),
        ("--precision", "fp16", "bf16"),
    ],
)
def test_unknown_names_and_values(cli: Cli, small_table: Path, option: str, value: str, hint: str) -> None:
    arguments = list(run(small_table))
    if option == "--study":
        arguments[2] = value
        refused(cli, *arguments, says=(hint,))
    else:
        refused(cli, *arguments, option, value, says=(hint,))


def test_all_mistakes_at_once(cli: Cli, small_table: Path) -> None:
    done = cli(*run(small_table), "--set", "head.widht=3", "--set", "encoder.dpth=2")
    assert done.code == 2
    assert "head.widht" in done.err
    assert "encoder.dpth" in done.err


def test_contradictory_settings(cli: Cli, small_table: Path) -> None:
    refused(cli, *run(small_table), "--set", "encoder.width=30", "--set", "encoder.heads=4", says=("width", "heads"))
    refused(cli, *run(small_table), "--address", "127.0.0.1:1", says=("--workers 0", "--address"))


def test_gpu_that_is_not_there(cli: Cli, small_table: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    refused(cli, *run(small_table), "--gpus-per-trial", "0.5", says=("GPU",))


def test_storage_that_cannot_be_written(cli: Cli, small_table: Path, tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_text("not a folder")
    refused(cli, *run(small_table), "--storage", f"{target}/x.db", says=("x.db",))


def test_storage_that_is_no_database(cli: Cli, small_table: Path, tmp_path: Path) -> None:
    target = tmp_path / "notes.txt"
    target.write_text("these are notes\n" * 100)
    refused(cli, *run(small_table), "--storage", str(target), says=("notes.txt",))
    assert target.read_text() == "these are notes\n" * 100


def test_report_that_cannot_be_written(cli: Cli, small_table: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    refused(cli, *run(small_table), "--report", "file/report.html", says=("file",))


def test_reading_a_study_that_is_not_there(cli: Cli) -> None:
    for command in (("status", "x"), ("report", "x"), ("export", "x", "-o", "x.yaml"), ("studies",)):
        refused(cli, *command, says=("spectrosim.db", "run a study first"))


def test_model_folder_that_is_not_there(cli: Cli, small_table: Path) -> None:
    refused(cli, "verify", "nowhere", small_table, says=("nowhere",))
    refused(cli, "embed", "nowhere", small_table, "-o", "z.csv", says=("nowhere",))
    refused(cli, "train", "nowhere.yaml", "--out", "model", says=("nowhere.yaml",))
    assert not Path("model").exists()


def test_singletons_and_zero_spectra_are_left_out_and_counted(cli: Cli, edited: Edit) -> None:
    def change(rows: Rows) -> None:
        for i in columns(rows):
            rows[8][i] = "0"
        rows[1][rows[0].index("group")] = "alone"

    done = cli("data", "inspect", edited(change))
    assert done.code == 0
    assert "zero" in done.out
    assert "1" in done.out
