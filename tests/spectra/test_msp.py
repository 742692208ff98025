"""Libraries of mass spectra in and out, and blocks of near-duplicates."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.near_duplicates import near_duplicate_blocks, with_blocks
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet
from spectrosim_search.spectra.writers import write

Table = Callable[..., Path]
LIBRARY = """Name: Benzene
InChIKey: UHOVQNZJYSORNB-UHFFFAOYSA-N
Formula: C6H6
Synon: benzol
Synon: cyclohexatriene
DB#: A1
Num Peaks: 3
51 20; 77.49 100;
78.5, 50

NAME: Toluene
INCHIKEY: YXFVVABEGXRONW-UHFFFAOYSA-N
DB#: A2
Num peaks: 2
91:999 "base"
92\t333 "M+"
"""


def test_records_fields_and_separators(table: Table) -> None:
    s = read(table(LIBRARY, "library.msp"))
    assert s.sample_ids.tolist() == ["A1", "A2"]
    assert s.groups.tolist() == ["UHOVQNZJYSORNB-UHFFFAOYSA-N", "YXFVVABEGXRONW-UHFFFAOYSA-N"]
    assert (s.axis[0], s.axis[-1], s.axis_unit) == (51.0, 92.0, "m/z")
    found = [{int(m): float(v) for m, v in zip(s.axis, row, strict=True) if v} for row in s.intensities]
    assert found[0] == {51: 200.0, 77: 1000.0, 79: 500.0}  # rounded half up
    assert found[1] == pytest.approx({91: 1000.0, 92: 1000 / 3}, rel=1e-6)
    assert s.extra["compound_name"].tolist() == ["Benzene", "Toluene"]
    assert s.extra["Synon"].tolist() == ["benzol; cyclohexatriene", ""]
    assert s.warnings == ()


def test_names_of_fields_are_what_stands_before_the_colon(table: Table) -> None:
    text = "Name: a\nCollision energy (eV): 20\nGerät: QTOF: 5\nNum Peaks: 1\n10 1\n\nName: b\nNum Peaks: 1\n11:5\n"
    s = read(table(text, "x.msp"))
    assert {k: v.tolist() for k, v in s.extra.items() if k != "compound_name"} == {
        "Collision energy (eV)": ["20", ""],
        "Gerät": ["QTOF: 5", ""],
    }


def test_peaks_of_one_nominal_mass_are_summed_and_records_may_touch(table: Table) -> None:
    s = read(table("Name: a\nNum Peaks: 3\n10.1 1\n9.8 2\n12 6\nName: b\nNum Peaks: 1\n11 5\n", "x.msp"))
    assert s.intensities.tolist() == [[500.0, 0.0, 1000.0], [0.0, 1000.0, 0.0]]
    assert s.groups.tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no record"),
        ("Name: a\nNum Peaks: 2\n10 1\n", "line 1: 2 peaks announced, 1 found"),
        ("Name: a\nNum Peaks: many\n", "line 2: 'many' is not a number of peaks"),
        ("Name: a\n\nName: b\nNum Peaks: 1\n10 1\n", "line 1: no 'Num Peaks:' line"),
        ("Name: a\nNum Peaks: 1\nten one\n", "line 3: 'ten one' is no peak"),
        ("Name: a\nNum Peaks: 1\n-4 1\n", "line 3: '-4 1': m/z must be above 0"),
        ("Name: a\nNum Peaks: 2\n-4 1 5 2\n", "line 3: '-4 1 5 2': m/z must be above 0"),
        ("Name: a\nNum Peaks: 2\n4 -1, 5 2\n", "line 3: '4 -1, 5 2': m/z must be above 0"),
        ("Name: a\nNum Peaks: 1\n5e8 2\n", "line 3: '5e8 2': m/z must be above 0 and at most 1,000,000"),
        ("10 1\n", "line 1: '10 1' stands before"),
        ("Name: a\nNum Peaks: 0\n", "no record has a peak"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(table: Table, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(table(text, "broken.msp"))


@pytest.mark.parametrize("suffix", [".msp", ".msp.gz"])
def test_written_libraries_read_back(tmp_path: Path, table: Table, suffix: str) -> None:
    s = read(table(LIBRARY, "library.msp"))
    labels, split = np.array(["aromatic", ""]), np.array(["", "b2"])
    s = replace(s, labels=labels, split=split)
    write(s, tmp_path / f"again{suffix}")
    again = read(tmp_path / f"again{suffix}")
    np.testing.assert_array_equal(again.intensities, s.intensities)
    for name in ("axis", "sample_ids", "groups", "labels", "split"):
        np.testing.assert_array_equal(getattr(again, name), getattr(s, name))
    assert again.extra["formula"].tolist() == ["C6H6", ""]


def test_real_spectra_survive_a_library(tmp_path: Path, real_data: Path) -> None:
    s = read(real_data / "massbank-ei-a" / "spectra.csv.gz")
    write(s, tmp_path / "ei.msp.gz")
    again = read(tmp_path / "ei.msp.gz")
    np.testing.assert_array_equal(again.groups, s.groups)
    np.testing.assert_array_equal(again.sample_ids, s.sample_ids)
    columns = np.searchsorted(s.axis, again.axis)
    top = s.intensities.max(axis=1, keepdims=True)
    np.testing.assert_allclose(again.intensities, 1000 * s.intensities[:, columns] / top, rtol=1e-5)


def test_near_duplicates_are_linked_inside_a_group_only() -> None:
    s = simulate(batches=3, batch_size=4, channels=64, mz_high=109.0, peaks=8)
    x = s.intensities.copy()
    x[1], x[2] = 3 * x[0], 3 * x[0] + 0.02 * x[0].max()  # 0-1-2 linked; 4 copies 0 in another group
    x[4] = x[0]
    s = replace(s, intensities=x)
    blocks = near_duplicate_blocks(s, 0.999)
    w = x.astype(np.float64) * np.sqrt(s.axis)
    cosine = w @ w.T / np.outer(np.linalg.norm(w, axis=1), np.linalg.norm(w, axis=1))
    for i in range(12):  # slow twin: no path of links leaves a block, and each block is one path
        for j in range(12):
            if s.groups[i] == s.groups[j] and cosine[i, j] > 0.999:
                assert blocks[i] == blocks[j]
            if s.groups[i] != s.groups[j]:
                assert blocks[i] != blocks[j]
    assert blocks[0] == blocks[1] == blocks[2] != blocks[4]
    contributors = np.array(["a", "b"] * 6)
    apart = near_duplicate_blocks(s, 0.999, contributors)
    assert apart[0] == apart[2] != apart[1]
    with_split = with_blocks(s, 0.999)
    assert np.unique(with_split.split).size == np.unique(blocks).size
    with pytest.raises(DataError, match="have a split column already"):
        with_blocks(with_split)
    with pytest.raises(DataError, match="needs m/z"):
        near_duplicate_blocks(replace(s, axis_unit="nm"))


def test_near_duplicates_of_many_groups_cost_no_square_of_them() -> None:
    n = 30_000
    groups = np.char.add("COMPOUND-OF-A-LARGE-LIBRARY-", np.arange(n).astype(np.str_))
    empty = np.full(2 * n, "", dtype="<U1")
    s = SpectraSet(
        intensities=np.random.default_rng(0).random((2 * n, 4), np.float32),
        axis=np.arange(50.0, 54.0),
        axis_unit="m/z",
        sample_ids=np.arange(2 * n).astype(np.str_),
        groups=np.tile(groups, 2),
        labels=empty,
        split=empty,
    )
    start = time.perf_counter()
    blocks = near_duplicate_blocks(s, 0.0)  # both spectra of every group are linked
    assert time.perf_counter() - start < 20  # comparing every spectrum with every group's name takes minutes
    assert (blocks[:n] == blocks[n:]).all()
    assert np.unique(blocks).size == n


def test_repeats_of_one_contributor_are_found_in_real_spectra(real_data: Path) -> None:
    s = read(real_data / "massbank-ei-a" / "spectra.csv.gz")
    assert np.unique(near_duplicate_blocks(s)).size == 542  # of 755 spectra of 126 compounds
