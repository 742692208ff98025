"""Vectors of classes from a user's table."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import DataError, InputError, MissingExtraError
from spectrosim_search.spectra.class_vectors import fingerprint, formula_vector, read_class_vectors

Table = Callable[..., Path]
BENZENE, TOLUENE = "UHOVQNZJYSORNB-UHFFFAOYSA-N", "YXFVVABEGXRONW-UHFFFAOYSA-N"


def test_a_table_of_numbers_is_read_in_the_order_of_the_classes(table: Table) -> None:
    path = table("note,class,a,b,c\nx,one,1,5,2\ny,two,3,5,4\nz,three,2,5,0\n")
    v = read_class_vectors(path, ["two", "one"])
    np.testing.assert_allclose(v, [[1, 1], [-1, -1]], atol=1e-6)  # scaled over the classes asked for; constant b is out
    assert v.dtype == np.float32


def test_an_inchikey_fits_by_its_skeleton(table: Table) -> None:
    path = table(f"inchikey,a\n{BENZENE},1\n{TOLUENE},3\n")
    other = BENZENE.replace("UHFFFAOYSA", "AAAAAAAASA")
    np.testing.assert_allclose(read_class_vectors(path, [other, TOLUENE]), [[-1], [1]], atol=1e-6)
    with pytest.raises(DataError, match=r"1 of 2 classes have no row .ZZZ"):
        read_class_vectors(path, [BENZENE, "ZZZ"])


def test_a_skeleton_of_two_different_rows_fits_none(table: Table) -> None:
    other, third = (BENZENE.replace("UHFFFAOYSA", block) for block in ("AAAAAAAASA", "BBBBBBBBSA"))
    path = table(f"inchikey,a\n{BENZENE},1\n{other},2\n{TOLUENE},3\n")
    assert read_class_vectors(path, [other, TOLUENE]).shape == (2, 1)
    with pytest.raises(DataError, match=f"class '{third}' fits rows with different vectors"):
        read_class_vectors(path, [third, TOLUENE])


def test_a_broken_gzip_file_is_said(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    whole = bytearray(gzip.compress(b"class,a\none,1\ntwo,2\n" * 20))
    whole[10] = 0xFF  # no kind of block that there is
    path.write_bytes(bytes(whole))
    with pytest.raises(InputError, match="cannot be read as CSV"):
        read_class_vectors(path, ["one", "two"])


def test_formulas_are_described() -> None:
    v = formula_vector("C6H5Cl")
    assert (v[0], v[1], v[8]) == (6, 5, 1)
    assert v[12] == pytest.approx(1.12)
    assert v[13] == 4  # one ring, three double bonds
    assert formula_vector("CH4")[13] == 0
    assert formula_vector("C12H27O4P")[13] == 0  # phosphorus counted as trivalent: P=O is none
    for wrong in ("", "C6H6Xx", "c6", "C6 H6", "C6H5+"):
        with pytest.raises(DataError, match="is no formula"):
            formula_vector(wrong)


def test_formulas_serve_where_there_are_no_numbers(table: Table) -> None:
    path = table("inchikey,formula\n" + f"{BENZENE},C6H6\n{TOLUENE},C7H8\n")
    assert read_class_vectors(path, [BENZENE, TOLUENE]).shape == (2, 3)  # carbon, hydrogen, mass; equal unsaturation


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ("class,a\n", InputError, "holds no rows"),
        ("a,b\n1,2\n", InputError, "no column names the class"),
        ("class,a\none,1\ntwo,x\n", DataError, "row 3: column 'a': 'x' is not a number"),
        ("class,a\none,1\ntwo,inf\n", DataError, "row 3: column 'a': 'inf' is not a finite"),
        ("class,a\none,1\none,2\ntwo,3\n", DataError, "row 3: class 'one' has another vector"),
        ("class,note\none,x\ntwo,y\n", InputError, "nothing to describe"),
        ("class,a\none,1\ntwo,1\n", DataError, "all classes have the same vector"),
        ("class,formula\none,CH4\ntwo,?\n", DataError, "row 3: '.' is no formula"),
        ("class,a,b,note\none,,1,\ntwo,2,3,x\n", DataError, "row 2: column 'a': '' is not a number"),
    ],
)
def test_what_is_wrong_is_said(table: Table, text: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        read_class_vectors(table(text), ["one", "two"])


def test_a_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_class_vectors(tmp_path / "none.csv", ["one"])


def test_fingerprints_need_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "rdkit", None)
    with pytest.raises(MissingExtraError, match=r"spectrosim-search\[chem\]"):
        fingerprint("C")


def test_fingerprints_of_molecules(table: Table) -> None:
    pytest.importorskip("rdkit")
    a, b = fingerprint("c1ccccc1C"), fingerprint("InChI=1S/C7H8/c1-7-5-3-2-4-6-7/h2-6H,1H3")
    np.testing.assert_array_equal(a, b)
    assert a.shape == (1032,)
    assert a[1024] == pytest.approx(92.14 / 200, abs=1e-3)
    assert (fingerprint("CCO") != a).any()
    with pytest.raises(DataError, match="neither a SMILES nor an InChI"):
        fingerprint("no molecule")
    v = read_class_vectors(table("name,smiles\nethanol,CCO\ntoluene,Cc1ccccc1\n"), ["ethanol", "toluene"])
    assert set(np.abs(v).round(4).ravel().tolist()) == {1.0}
