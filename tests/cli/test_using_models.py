"""Commands that ask a trained model: what they say of odd spectra, other column names and places not to write to."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from spectrosim_search.deploy.document import ExportDocument, LinearMetric
from spectrosim_search.deploy.retrain import train
from spectrosim_search.deploy.retrain_named import train_named
from spectrosim_search.learning.engine import single_thread
from spectrosim_search.search.plan import first_configuration
from spectrosim_search.search.run import Prepared, prepare_study
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.writers import write
from tests.cli.conftest import Cli, columns

Rows = list[list[str]]
Edit = Callable[[Callable[[Rows], None]], Path]


@pytest.fixture(scope="module")
def pairs(small_table: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that compares pairs."""
    document = ExportDocument("linear-metric", linear_metric=LinearMetric(settings="fixed"))
    folder = train(document, read(small_table), tmp_path_factory.mktemp("models") / "pairs", seeds=1)
    assert folder.path is not None
    return folder.path


@pytest.fixture(scope="module")
def few_compounds() -> Prepared:
    """Twenty-five spectra of five classes."""
    sizes = ("classes=5", "spectra=5", "channels=60", "shift=2", "margin=8", "class_distance=10")
    small = [f"data.simulator_parameters.{s}" for s in sizes]
    return prepare_study("identify", set_=[*small, "encoder.type=whitened", "training.epochs=0"])


@pytest.fixture(scope="module")
def names(few_compounds: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that names compounds."""
    document = ExportDocument("model", configuration=first_configuration(few_compounds.study))
    path = tmp_path_factory.mktemp("models") / "names"
    with single_thread():
        train_named(document, few_compounds.spectra, path, seeds=1, folds=2)
    return path


@pytest.fixture
def library(few_compounds: Prepared, tmp_path: Path) -> Path:
    """The spectra of `names`, its column of groups under a name nobody would guess."""
    path = tmp_path / "library.csv"
    write(few_compounds.spectra, path)
    path.write_text(path.read_text().replace("sample_id,group,label", "sample_id,molecule,label", 1))
    return path


@pytest.mark.parametrize("command", ["verify", "embed"])
@pytest.mark.parametrize("place", ["folder", "file.txt/z.csv"])
def test_a_place_that_cannot_be_written_is_one_line(
    cli: Cli, pairs: Path, small_table: Path, command: str, place: str
) -> None:
    Path("folder").mkdir()
    Path("file.txt").write_text("somebody's own")
    done = cli(command, pairs, small_table, "-o", place)
    assert done.code == 2
    assert done.err.startswith("error: ") and len(done.err.splitlines()) == 1


@pytest.mark.parametrize("option", [("--best", "2"), ("--unknown",)])
def test_mixtures_refuse_what_is_said_of_pure_spectra(
    cli: Cli, names: Path, library: Path, option: tuple[str, ...]
) -> None:
    done = cli("identify", names, library, "--components", "2", *option)
    assert done.code == 2
    assert done.err == "error: --components lists every component it names: leave --best and --unknown away\n"
    assert done.out == ""


def test_folders_on_the_way_are_made(cli: Cli, pairs: Path, names: Path, small_table: Path, library: Path) -> None:
    assert cli("verify", pairs, small_table, "-o", "a/pairs.csv").code == 0
    assert cli("embed", pairs, small_table, "-o", "b/z.npz").code == 0
    assert cli("identify", names, library, "-o", "c/names.csv").code == 0
    assert cli("identify", names, library, "--components", "2", "-o", "library.csv/names.csv").code == 2
    assert all(Path(p).stat().st_size for p in ("a/pairs.csv", "b/z.npz", "c/names.csv"))


def test_what_the_reader_leaves_out_is_told(cli: Cli, pairs: Path, names: Path, edited: Edit, library: Path) -> None:
    def change(rows: Rows) -> None:
        for at in columns(rows):
            rows[4][at] = "0"

    table = edited(change)
    for arguments in (("verify", pairs, table), ("embed", pairs, table, "-o", "z.csv")):
        done = cli(*arguments)
        assert done.code == 0
        assert "warning: left out 1 spectra that are zero throughout" in done.err
    rows = [line.split(",") for line in library.read_text().splitlines()]
    for at in columns(rows):
        rows[4][at] = "0"
    Path("holes.csv").write_text("\n".join(map(",".join, rows)))
    done = cli("identify", names, "holes.csv")
    assert len(done.out.splitlines()) == 1 + 24
    assert "warning: left out 1 spectra that are zero throughout" in done.err


def test_one_spectrum_makes_no_pair(cli: Cli, pairs: Path, small_table: Path) -> None:
    Path("one.csv").write_text("\n".join(small_table.read_text().splitlines()[:2]))
    done = cli("verify", pairs, "one.csv", "-o", "pairs.csv")
    assert done.code == 2
    assert "one spectrum makes no pair" in done.err and "--gallery" in done.err
    done = cli("verify", pairs, "one.csv", "--gallery", small_table)
    assert done.code == 0, done.err
    (row,) = csv.DictReader(io.StringIO(done.out))
    groups = json.loads(row["groups"])
    assert groups[0]["group"] == row["best_group"]
    assert len(groups) == 12


def test_columns_of_new_spectra_can_be_named(
    cli: Cli, pairs: Path, names: Path, library: Path, edited: Edit, small_table: Path
) -> None:
    refused = cli("identify", names, library, "--gallery", library)
    assert refused.code == 2
    assert "name it with --group-column" in refused.err
    done = cli(
        "identify", names, library, "--gallery", library, "--group-column", "molecule", "--id-column", "sample_id"
    )
    assert done.code == 0, done.err

    def change(rows: Rows) -> None:
        rows[0][rows[0].index("group")] = "culture no"

    other = edited(change)
    assert cli("verify", pairs, small_table, "--gallery", other).code == 2
    assert cli("verify", pairs, small_table, "--gallery", other, "--group-column", "culture no").code == 0
    assert cli("verify", pairs, small_table, "--gallery", other, "--group-pattern", "^(batch[0-9]+)").code == 0
    alone = cli("verify", pairs, small_table, "--group-column", "group")
    assert alone.code == 2
    assert "--gallery" in alone.err
    assert cli("embed", pairs, other, "-o", "z.csv", "--group-column", "culture no").code == 0
    assert next(csv.DictReader(io.StringIO(Path("z.csv").read_text())))["group"] != ""


def test_a_gallery_over_another_axis_is_told(cli: Cli, names: Path, library: Path) -> None:
    rows = [line.split(",") for line in library.read_text().splitlines()]
    gone = columns(rows)[7]
    Path("gallery.csv").write_text("\n".join(",".join(r[:gone] + r[gone + 1 :]) for r in rows))
    done = cli("identify", names, library, "--gallery", "gallery.csv", "--group-column", "molecule")
    assert done.code == 0, done.err
    assert "warning: the axis of 'gallery'" in done.err
