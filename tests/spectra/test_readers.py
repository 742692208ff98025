"""What every reader and writer must do, whatever the format."""

from __future__ import annotations

import re
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spectrosim_search.config import registry
from spectrosim_search.config.errors import DataError, InputError, MissingExtraError
from spectrosim_search.spectra.readers import read, suffixes
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet
from spectrosim_search.spectra.writers import write

ROWS = [("a1", "A", "x", 1.5, 2.0), ("a2", "A", "", 3.25, 4.0), ("b1", "", "y", 5.0, -6.5)]
TABLES = sorted(s for s in suffixes() if ".msp" not in s)  # libraries hold peak lists, no table: test_msp.py
HEADER = ("sample_id", "group", "label", "77.04", "77.48")


def make(path: Path, rows: list[tuple[object, ...]] = ROWS, header: tuple[object, ...] = HEADER) -> Path:
    """The same table in the format of the suffix."""
    name = path.name
    if name.endswith((".xlsx", ".xlsm")):
        openpyxl = pytest.importorskip("openpyxl")
        book = openpyxl.Workbook()
        for row in (header, *rows):
            book.active.append([float(c) if i > 2 and row is header else c for i, c in enumerate(row)])
        book.save(path)
    elif name.endswith((".parquet", ".pq")):
        pa = pytest.importorskip("pyarrow")
        import pyarrow.parquet as pq

        columns = [list(c) for c in zip(*rows, strict=True)]
        pq.write_table(pa.Table.from_arrays([pa.array(c) for c in columns], names=[str(h) for h in header]), path)
    elif name.endswith(".npz"):
        ids, groups, labels, *values = zip(*rows, strict=True)
        axis = np.array(header[3:], dtype=np.float64)
        intensities = np.array(values, dtype=np.float64).T
        np.savez(path, intensities=intensities, axis=axis, sample_ids=ids, groups=groups, labels=labels)
    else:
        import gzip

        delimiter = "," if ".csv" in name else "\t"
        text = "\n".join(delimiter.join(str(c) for c in row) for row in (header, *rows)) + "\n"
        path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


def test_every_reader_declares_suffixes() -> None:
    assert set(suffixes().values()) == set(registry.names("spectra.readers"))
    for suffix, name in suffixes().items():
        assert suffix in registry.load("spectra.readers", name).SUFFIXES


@pytest.mark.parametrize("suffix", TABLES)
def test_one_table_reads_equally_from_every_format(suffix: str, tmp_path: Path) -> None:
    s = read(make(tmp_path / f"table{suffix}"))
    assert s.sample_ids.tolist() == ["a1", "a2", "b1"]
    assert s.groups.tolist() == ["A", "A", ""]
    assert s.labels.tolist() == ["x", "", "y"]
    np.testing.assert_allclose(s.axis, [77.04, 77.48], rtol=0, atol=1e-12)
    assert s.intensities.tolist() == [[1.5, 2], [3.25, 4], [5, -6.5]]


@pytest.mark.parametrize("suffix", TABLES)
def test_nan_and_double_ids_are_refused_by_every_format(suffix: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"column '77\.48': the cell is empty or NaN"):
        read(make(tmp_path / f"nan{suffix}", [*ROWS, ("b2", "B", "y", 1.0, float("nan"))]))
    with pytest.raises(DataError, match="sample id 'a1'"):
        read(make(tmp_path / f"twice{suffix}", [*ROWS, ROWS[0]]))


@pytest.mark.parametrize("suffix", sorted(suffixes()))
def test_what_is_not_the_format_is_refused(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(b"\x00\x01 not a table \xff" * 10)
    with pytest.raises(InputError, match=str(path)):
        read(path)


@pytest.mark.parametrize("suffix", [".xlsx", ".parquet"])
def test_cells_of_text_are_named(suffix: str, tmp_path: Path) -> None:
    rows: list[tuple[object, ...]] = [("a", "g", "x", "1", "2"), ("b", "g", "x", "3", "n.d.")]
    with pytest.raises(DataError, match=r"row \d, column '77\.48': 'n\.d\.' is not a number"):
        read(make(tmp_path / f"x{suffix}", rows))


def test_excel_export_headed_mz(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["m/z", 77.04, 77.48, 77.92])
    book.active.append(["QC1_b1", 1, 2, 3])
    book.active.append(["QC2_b1", 4, 5, 6])
    book.active.append([None, None, None, None])
    book.create_sheet("notes")
    book.save(tmp_path / "export.xlsx")
    s = read(tmp_path / "export.xlsx", group_pattern="_(b[0-9])")
    assert s.sample_ids.tolist() == ["QC1_b1", "QC2_b1"]
    assert (s.axis_unit, s.groups.tolist()) == ("m/z", ["b1", "b1"])
    assert s.warnings == ("read the first of 2 sheets ('Sheet')",)
    with pytest.raises(DataError, match="no group column"):
        read(tmp_path / "export.xlsx")


def rewritten(path: Path, part: str, change: Callable[[bytes], bytes]) -> Path:
    """Change one part of an Excel workbook, as exporters other than Excel write it."""
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    with zipfile.ZipFile(path, "w") as book:
        for name, content in parts.items():
            book.writestr(name, change(content) if name.endswith(part) else content)
    return path


@pytest.mark.parametrize("told", [b"A1", b"A1:D2", b"A1:C4"])
def test_what_a_workbook_says_of_its_size_is_not_believed(told: bytes, tmp_path: Path) -> None:
    path = make(tmp_path / "x.xlsx")
    whole = read(path)
    rewritten(path, "sheet1.xml", lambda xml: re.sub(rb'(<dimension ref=")[^"]*', rb"\g<1>" + told, xml))
    assert read(path).fingerprint == whole.fingerprint


@pytest.mark.parametrize("part", ["sheet1.xml", "workbook.xml", "styles.xml"])
def test_a_workbook_with_broken_parts_is_refused(part: str, tmp_path: Path) -> None:
    path = rewritten(make(tmp_path / "x.xlsx"), part, lambda xml: xml[: len(xml) // 2])
    with pytest.raises(DataError, match="is not an Excel workbook"):
        read(path)


@pytest.fixture
def pandas() -> Any:
    """The library, where it can write Parquet."""
    pytest.importorskip("pyarrow")
    return pytest.importorskip("pandas")


def test_numbers_kept_as_text_in_parquet(pandas: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    frame = pandas.DataFrame({"group": ["a", "b", "c"], "1": ["1.5", " 2", "3 "], "2": [1.0, 2.0, 3.0]})
    frame.to_parquet(path)
    assert read(path).intensities.tolist() == [[1.5, 1], [2, 2], [3, 3]]
    frame.assign(**{"1": [None, "2", "n.d."]}).to_parquet(path)
    with pytest.raises(DataError, match=r"row 3, column '1': 'n\.d\.' is not a number"):
        read(path)
    frame.assign(**{"1": ["1", "NA", "2"]}).to_parquet(path)
    with pytest.raises(DataError, match="row 2, column '1': the cell is empty or NaN"):
        read(path)


def test_an_index_of_names_in_parquet_is_the_sample_id(pandas: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    frame = pandas.DataFrame({"1": [1.0, 2.0], "2": [2.0, 3.0]}, index=["b1_f1", "b2_f1"])
    frame.to_parquet(path)
    s = read(path, group_pattern="^(b[0-9])")
    assert (s.sample_ids.tolist(), s.groups.tolist()) == (["b1_f1", "b2_f1"], ["b1", "b2"])
    frame.assign(group="g").reset_index(drop=True).iloc[[1, 0]].to_parquet(path)  # an index of numbers names nothing
    assert read(path).sample_ids.tolist() == ["row1", "row2"]


@pytest.mark.parametrize(("suffix", "package"), [(".xlsx", "openpyxl"), (".parquet", "pyarrow")])
def test_missing_extras_are_named(suffix: str, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / f"x{suffix}")
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError, match=rf"'{package}': pip install 'spectrosim-search\[formats\]'"):
        read(path)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"axis": np.arange(3.0)}, "array 'intensities' is missing"),
        ({"axis": np.arange(3.0), "intensities": np.ones((2, 4))}, "should be"),
        ({"axis": np.arange(4.0), "intensities": np.full((2, 4), "x")}, "not numbers"),
        ({"axis": np.arange(4.0), "intensities": np.ones((2, 4)), "groups": ["a"]}, "array 'groups' has shape"),
        ({"axis": np.array([1, np.nan]), "intensities": np.ones((2, 2))}, "axis value number 2"),
        (
            {"axis": np.arange(2.0), "intensities": np.ones((2, 2)), "truth_x": np.array(["a"])},
            "array 'truth_x' holds <U1, not numbers",
        ),
        (
            {"axis": np.arange(2.0), "intensities": np.ones((2, 2)), "groups": np.array([b"a", b"\xff"])},
            "array 'groups' is not text in UTF-8",
        ),
    ],
)
def test_npz_of_wrong_shape_is_refused(arrays: dict[str, np.ndarray], message: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", **arrays)  # type: ignore[arg-type] # numpy types ** as its one boolean option
    with pytest.raises(DataError, match=message):
        read(tmp_path / "x.npz")


def test_text_in_npz_may_be_bytes(tmp_path: Path) -> None:
    names = np.array(["Größe".encode(), b"b"])
    np.savez(tmp_path / "x.npz", axis=np.arange(2.0), intensities=np.eye(2), groups=names, axis_unit=np.array([b"nm"]))
    s = read(tmp_path / "x.npz")
    assert (s.groups.tolist(), s.axis_unit) == (["Größe", "b"], "nm")


def test_a_single_array_is_no_archive(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.eye(3))
    path = (tmp_path / "x.npy").rename(tmp_path / "x.npz")
    with pytest.raises(DataError, match="is not an NPZ archive"):
        read(path)


def test_npz_never_unpickles(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", axis=np.arange(1.0), intensities=np.array([[object()]], dtype=object))
    with pytest.raises(DataError, match="without pickled objects"):
        read(tmp_path / "x.npz")


@pytest.fixture(scope="module")
def fish() -> SpectraSet:
    return simulate(batches=4, channels=64, mz_high=120.0, peaks=9, seed=3)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv", ".tsv.gz", ".npz"])
def test_written_spectra_read_back_equal(suffix: str, fish: SpectraSet, tmp_path: Path) -> None:
    path = tmp_path / f"fish{suffix}"
    write(fish, path)
    first = path.read_bytes()
    back = read(path)
    assert back.fingerprint == fish.fingerprint
    assert back.sample_ids.tolist() == fish.sample_ids.tolist()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    if suffix == ".npz":
        assert back.axis_unit == "m/z"
        assert set(back.truth) == set(fish.truth)
        np.testing.assert_array_equal(back.truth["latent"], fish.truth["latent"])
    else:
        write(fish, path)
        assert path.read_bytes() == first


@pytest.mark.parametrize("suffix", [".csv", ".tsv.gz", ".npz", ".msp"])
@pytest.mark.parametrize("taken", ["group", "label", "sample_id", "split"])
def test_extra_columns_replace_no_other(taken: str, suffix: str, fish: SpectraSet, tmp_path: Path) -> None:
    extra = np.array([f"other{i}" for i in range(len(fish))])
    path = tmp_path / f"fish{suffix}"
    write(replace(fish, extra={taken: extra, "Gerät (neu)": extra}), path)
    back = read(path)
    for name in ("sample_ids", "groups", "labels", "split"):
        assert getattr(back, name).tolist() == getattr(fish, name).tolist()
    assert back.extra["Gerät (neu)"].tolist() == back.extra[f"extra {taken}"].tolist() == extra.tolist()


def test_truth_follows_spectra_left_out(fish: SpectraSet, tmp_path: Path) -> None:
    from dataclasses import replace

    values = fish.intensities.copy()
    values[2] = 0
    write(replace(fish, intensities=values), tmp_path / "x.npz")
    back = read(tmp_path / "x.npz")
    assert len(back) == len(fish) - 1
    np.testing.assert_array_equal(back.truth["latent"], np.delete(fish.truth["latent"], 2, axis=0))


def test_writing_where_it_cannot_leaves_nothing(fish: SpectraSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="choose one of these suffixes"):
        write(fish, tmp_path / "x.xlsx")
    with pytest.raises(InputError, match="cannot be written"):
        write(fish, tmp_path / "no" / "x.csv")
    (tmp_path / "x.csv").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        write(fish, tmp_path / "x.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_listing_formats_imports_no_pandas() -> None:
    code = (
        "import sys; from spectrosim_search.spectra.readers import suffixes; "
        "from spectrosim_search.spectra.load import load; suffixes(); "
        "sys.exit(bool({'pandas', 'scipy', 'openpyxl', 'pyarrow', 'torch'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
