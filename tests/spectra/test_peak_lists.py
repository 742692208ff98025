"""Lists of peaks in long form: one row a peak."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import DataError
from spectrosim_search.config.study import DataSource
from spectrosim_search.spectra.load import load
from spectrosim_search.spectra.readers import read

Table = Callable[..., Path]
LIST = """sample_id,mz,intensity,compound,instrument
s2,51.2,20,benzene,GC
s2,77.49,60,benzene,GC
s2,77.1,40,benzene,GC
s1,78.5,50,toluene,EI
s2,78.5,50,benzene,GC
"""


def test_peaks_are_summed_at_unit_mass_and_columns_belong_to_the_spectrum(table: Table) -> None:
    s = read(table(LIST, "anything.csv"))
    assert s.sample_ids.tolist() == ["s2", "s1"]  # as they appear
    assert s.groups.tolist() == ["benzene", "toluene"]
    assert s.labels.tolist() == ["GC", "EI"]
    assert (s.axis[0], s.axis[-1], s.axis_unit, s.axis.size) == (51.0, 79.0, "m/z", 29)
    found = [{int(m): float(v) for m, v in zip(s.axis, row, strict=True) if v} for row in s.intensities]
    assert found == [{51: 200.0, 77: 1000.0, 79: 500.0}, {79: 1000.0}]
    assert s.warnings == ()


def test_other_delimiters_and_names(table: Table) -> None:
    s = read(table("id;m/z;abundance;inchikey\na;10,2;1,5;K\na;11;3;K\n", "peaks.csv"))
    assert s.intensities.tolist() == [[500.0, 1000.0]]
    assert s.groups.tolist() == ["K"]


def test_columns_of_the_spectra_may_lie_beside(table: Table) -> None:
    path = table("sample_id,mz,intensity\nb,10,1\na,11,2\n", "peaks.csv")
    with pytest.raises(DataError, match=r"has no row for spectrum 'b' of peaks\.csv"):
        table("sample_id,inchikey\na,K1\n", "extra.csv")
        read(path)
    table("sample_id,inchikey,name\na,K1,one\nb,K2,two\nc,K3,three\n", "extra.csv")
    s = load(DataSource(path=str(path), label_column="name"))
    assert (s.sample_ids.tolist(), s.groups.tolist(), s.labels.tolist()) == (["b", "a"], ["K2", "K1"], ["two", "one"])
    assert "columns of the spectra are those of extra.csv beside peaks.csv" in s.warnings[0]


def test_blank_lines_are_no_peaks(table: Table) -> None:
    s = read(table("id,mz,intensity,group\n\na,10,1,g\n\na,11,2,g\nb,10,3,h\n\n\n", "peaks.csv"))
    assert s.intensities.tolist() == [[500.0, 1000.0], [1000.0, 0.0]]
    with pytest.raises(DataError, match="row 5, column 'mz': 'x' is not a number"):
        read(table("id,mz,intensity\n\na,10,1\n\na,x,2\n", "peaks.csv"))


def test_a_spectrum_stands_once_in_the_table_beside(table: Table) -> None:
    path = table("sample_id,mz,intensity\nb,10,1\na,11,2\n", "peaks.csv")
    table("sample_id,group\n a ,K1\nb,K2\n", "samples.csv")
    assert read(path).groups.tolist() == ["K2", "K1"]
    table("sample_id,group\na,K1\nb,K2\na,K3\n", "samples.csv")
    with pytest.raises(DataError, match=r"samples\.csv: spectrum 'a' stands in more than one row"):
        read(path)
    table("name,group\na,K1\nb,K2\n", "samples.csv")
    with pytest.raises(DataError, match=r"samples\.csv: no column sample_id, spectrum_id or id"):
        read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,mz,intensity\n", "a heading but no peaks"),
        ("id,mz,intensity\na,10,1\na,2e9,1\n", r"row 3, column 'mz': 2e\+09, but m/z is at most 1,000,000"),
        ("id,mz,intensity\na,ten,1\n", "row 2, column 'mz': 'ten' is not a number"),
        ("id,mz,intensity\na,10,1\na,11,\n", "row 3, column 'intensity': '' is not a number"),
        ("id,mz,intensity\na,10,1\na,-3,1\n", "row 3, column 'mz': -3, but m/z is above 0"),
        ("id,mz,intensity\na,10,-1\n", "row 2, column 'intensity': -1, but an intensity is at least 0"),
        ("id,mz,intensity\n,10,1\n", "row 2, column 'id': the sample id is empty"),
        (
            "id,mz,intensity,group\na,10,1,x\nb,10,1,y\na,11,1,z\n",
            "row 4, column 'group': 'z', but spectrum 'a' has 'x'",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_row(table: Table, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read(table(text, "peaks.csv"), need_groups=False)


def test_real_peaks_are_the_binned_table(real_data: Path) -> None:
    folder = real_data / "massbank-ei-a"
    peaks, binned = read(folder / "peaks.csv.gz"), read(folder / "spectra.csv.gz")
    assert peaks.groups.tolist() == binned.groups.tolist()
    assert peaks.sample_ids.tolist() == binned.sample_ids.tolist()
    np.testing.assert_array_equal(peaks.axis, binned.axis)
    np.testing.assert_allclose(peaks.intensities, binned.intensities, rtol=1e-5, atol=1e-3)
