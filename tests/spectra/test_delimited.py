from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.spectra.readers import read

Write = Callable[..., Path]
GOOD = "sample_id,batch,species,note,100,100.5,101\na1,A,x,n1,1,2,3\na2,A,x,,4,5,6\nb1,B,y,n3,7,8,9.5\n"


def test_columns_are_found_by_name(table: Write) -> None:
    s = read(table(GOOD))
    assert s.sample_ids.tolist() == ["a1", "a2", "b1"]
    assert s.groups.tolist() == ["A", "A", "B"]
    assert s.labels.tolist() == ["x", "x", "y"]
    assert s.axis.tolist() == [100, 100.5, 101]
    assert s.intensities.dtype == np.float32
    assert s.intensities.tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 9.5]]
    assert s.extra["note"].tolist() == ["n1", "", "n3"]
    assert (s.name, s.axis_unit, s.warnings) == ("table", "", ())


def test_columns_can_be_given(table: Write) -> None:
    s = read(table(GOOD), group_column="species", label_column="batch", id_column="sample_id", split_column="note")
    assert s.groups.tolist() == ["x", "x", "y"]
    assert s.labels.tolist() == ["A", "A", "B"]
    assert s.split.tolist() == ["n1", "", "n3"]
    assert not s.extra


def test_a_column_given_as_group_is_not_taken_as_the_id(table: Write) -> None:
    s = read(table("sample,100,101\na,1,2\na,3,4\nb,5,6\n"), group_column="sample")
    assert s.groups.tolist() == ["a", "a", "b"]
    assert s.sample_ids.tolist() == ["row2", "row3", "row4"]


def test_group_pattern_reads_the_id(table: Write) -> None:
    text = "m/z,77.04,77.48\nb1_f1,1,2\nb1_f2,3,4\nb2_f1,5,6\nblank,7,8\n"
    s = read(table(text), group_pattern=r"^(b\d+)_")
    assert s.groups.tolist() == ["b1", "b1", "b2", ""]
    assert s.axis_unit == "m/z"
    assert "3 of 4" in s.warnings[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_encodings_semicolons_and_decimal_commas(table: Write, encoding: str, delimiter: str) -> None:
    rows = [["id", "group", "77,04", "77,48"], ["Ä1", "Größe", "1,5", "2,25"], ["Ä2", "Größe", "3", "-4,5"]]
    s = read(table("\n".join(delimiter.join(r) for r in rows), encoding=encoding))
    assert s.sample_ids.tolist() == ["Ä1", "Ä2"]
    assert s.groups.tolist() == ["Größe", "Größe"]
    assert s.axis.tolist() == [77.04, 77.48]
    assert s.intensities.tolist() == [[1.5, 2.25], [3, -4.5]]


def test_a_decimal_comma_may_appear_late(table: Write) -> None:
    s = read(table("id;group;77;78\na;g;1;2\nb;g;3;4,5\n"))
    assert s.intensities.tolist() == [[1, 2], [3, 4.5]]


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("heading", [["id", "77,04", "77,48"], ["group", "77,04"], ["77,04", "77,48", "78"]])
def test_commas_of_the_heading_may_all_be_decimal(table: Write, heading: list[str], delimiter: str) -> None:
    rows = [heading, ["b1_f1", "1,5", "2,25", "7"], ["b2_f1", "3", "-4,5", "8"]]
    width = len(heading) + (heading[0] == "77,04")  # the column of row names may have no heading
    s = read(table("\n".join(delimiter.join(r[:width]) for r in rows)), need_groups=False)
    assert s.axis.tolist() == [float(h.replace(",", ".")) for h in heading if h[0] == "7"]
    assert s.intensities[:, 0].tolist() == [1.5, 3]


def test_one_comma_in_a_column_of_text_is_no_decimal_comma(table: Write) -> None:
    s = read(table("id\tgroup\tplace\t1\t2\na\tg\t2,4\t0.5\t1.5\nb\th\t3\t2.5\t1\n", "x.tsv"))
    assert s.intensities.tolist() == [[0.5, 1.5], [2.5, 1]]
    assert s.extra["place"].tolist() == ["2,4", "3"]


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_a_heading_may_be_longer_than_a_field_of_the_csv_module(table: Write, delimiter: str) -> None:
    channels = [f"{100 + i / 100:.2f}" for i in range(20_000)]
    rows = [["id", "group", *channels], ["a", "g", *(["0.125"] * 20_000)], ["b", "h", *(["12.75"] * 20_000)]]
    s = read(table("\n".join(delimiter.join(r) for r in rows)))
    assert s.intensities.shape == (2, 20_000)
    assert s.axis[-1] == 299.99


def test_quoted_text_blank_lines_and_gzip(tmp_path: Path) -> None:
    path = tmp_path / "x.csv.gz"
    path.write_bytes(gzip.compress(b'"sample_id","group","1","2"\r\n"a, b","g",1,2\r\n\r\n"c","g",3,4\r\n\r\n'))
    s = read(path)
    assert s.sample_ids.tolist() == ["a, b", "c"]
    assert s.intensities.tolist() == [[1, 2], [3, 4]]


def test_row_names_without_a_heading_are_the_ids(table: Write) -> None:
    s = read(table("group\t1\t2\nr1\tg\t5\t6\nr2\th\t7\t8\n", "x.tsv"))
    assert s.sample_ids.tolist() == ["r1", "r2"]
    assert s.groups.tolist() == ["g", "h"]


@pytest.mark.parametrize(
    ("names", "axis", "unit"),
    [
        ("p0,p1,p2", [0, 1, 2], ""),
        ("mz_77.04,mz_77.48,mz_78", [77.04, 77.48, 78], "m/z"),
        ("1100 nm,1102 nm,1104 nm", [1100, 1102, 1104], "nm"),
        ("100.1@0.5,100.2@0.3,150@1#2", [100.1, 100.2, 150], "m/z"),
        ("100.1@0.5,100.1@0.3,50@1", [1, 2, 3], "feature"),
    ],
)
def test_other_names_of_axis_columns(table: Write, names: str, axis: list[float], unit: str) -> None:
    s = read(table(f"id,group,{names}\na,g,1,2,3\nb,g,4,5,6\n"))
    assert s.axis.tolist() == axis
    assert s.axis_unit == unit
    if unit == "feature":
        assert s.intensities[0].tolist() == [3, 2, 1]  # by mass, then time


def test_unsorted_axis_is_sorted_with_a_warning(table: Write) -> None:
    s = read(table("id,group,3,1,2\na,g,30,10,20\nb,g,31,11,21\n"))
    assert s.axis.tolist() == [1, 2, 3]
    assert s.intensities.tolist() == [[10, 20, 30], [11, 21, 31]]
    assert s.warnings == ("the axis was not sorted; columns were put in increasing order",)


def test_falling_axis_is_turned_round_in_silence(table: Write) -> None:
    s = read(table("id,group,3,2,1\na,g,30,20,10\n"))
    assert s.axis.tolist() == [1, 2, 3]
    assert s.warnings == ()


def test_zero_and_repeated_spectra_are_counted(table: Write) -> None:
    s = read(table("id,group,1,2\na,g,0,0\nb,g,1,2\nc,g,1,2\nd,h,3,4\n"))
    assert s.sample_ids.tolist() == ["b", "c", "d"]
    assert s.warnings[0].startswith("left out 1 spectra that are zero throughout (a)")
    assert s.warnings[1].startswith("1 spectra repeat another one")


def test_unknown_groups_and_labels_are_empty(table: Write) -> None:
    s = read(table("id,group,label,1,2\na,NA,x,1,2\nb,g,nan,3,4\nc, ,,5,6\n"))
    assert s.groups.tolist() == ["", "g", ""]
    assert s.labels.tolist() == ["x", "", ""]


def test_chunks_do_not_change_what_is_read(table: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    from spectrosim_search.spectra.readers import delimited

    rng = np.random.default_rng(0)
    values = rng.normal(size=(37, 5)).astype(np.float32)
    rows = "\n".join(f"s{i},g{i % 4}," + ",".join(str(v) for v in row) for i, row in enumerate(values))
    path = table("id,group,1,2,3,4,5\n" + rows)
    whole = read(path)
    monkeypatch.setattr(delimited, "_CELLS_A_CHUNK", 50)
    assert read(path).fingerprint == whole.fingerprint
    assert (whole.intensities == values).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        ("\nid,group,1,2\na,g,1,2\n", "the first line is empty"),
        ('id,group,1,2\na,g,1,2\nb,g,3,"4\nc,h,5,6\n', "row 3: a quotation mark is opened and never closed"),
        ("id,group,1,2\n", "heading but no rows"),
        ("id,name,1,2\na,b,1,2\n", "no group column (columns of text: 'id', 'name')"),
        ("id,group,x,y\na,g,1,2\n", "no column is named by a number"),
        ("id,group,1,2\na,g,1,2\nb,g,1,n.d.\n", "row 3, column '2': 'n.d.' is not a number"),
        ("id,group,1,2\na,g,1,2\n\nb,g,<5,1\n", "row 4, column '1': '<5' is not a number"),
        ("id,group,1,2\na,g,1,2\nb,g,1,\n", "row 3, column '2': the cell is empty or NaN"),
        ("id,group,1,2\na,g,1,2\nb,g,NaN,3\n", "row 3, column '1': the cell is empty or NaN"),
        ("id,group,1,2\na,g,1,inf\n", "row 2, column '2': the value is infinite"),
        ("id,group,1,2\na,g,1,-1e39\n", "row 2, column '2': the value is infinite"),
        ("id,group,1,2\na,g,1,2\na,g,3,4\n", "sample id 'a' (column 'id') stands in rows 2 and 3"),
        ("id,group,1,2\na,g,1,2\n,g,3,4\n", "row 3, column 'id': the sample id is empty"),
        ("id,group,1,2,1.0\na,g,1,2,3\n", "axis value 1 occurs twice (columns '1' and '1.0')"),
        ("id,group,1,1\na,g,1,2\n", "axis value 1 occurs twice"),
        ("id,group,group,1\na,g,h,1\n", "two columns are named 'group'"),
        ("id,group,1,2\na,g,0,0\n", "every spectrum is zero"),
        ("id,group,1,2\na,g,1,2\nb,g,1,2,3\n", "row 3 has 5 fields, the heading has 4"),
        ("id,group,1\na,g,1,2,3\n", "row 2 has 5 fields, the heading has 3"),
    ],
)
def test_wrong_tables_are_refused_in_one_line(table: Write, text: str, message: str) -> None:
    path = table(text)
    with pytest.raises(DataError) as caught:
        read(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"group_column": "grop"}, "did you mean 'group'"),
        ({"label_column": "1"}, "is a column of the axis"),
        ({"group_column": "group", "group_pattern": "(a)"}, "contradict"),
        ({"group_pattern": "a("}, "not a regular expression"),
        ({"group_pattern": "a"}, "no capture group"),
        ({"group_pattern": "(z)"}, "fits no sample id"),
    ],
)
def test_wrong_options_are_refused(table: Write, options: dict[str, str], message: str) -> None:
    path = table("id,group,1,2\na,g,1,2\n")
    with pytest.raises(InputError, match=message.replace("(", r"\(")):
        read(path, **options)


def test_wrong_paths_are_refused(table: Write, tmp_path: Path) -> None:
    table("x", "spectra.csv")
    with pytest.raises(InputError, match=r"no such file \(did you mean 'spectra.csv'\?\)"):
        read(tmp_path / "spectre.csv")
    with pytest.raises(InputError, match=r"no reader for '\.docx'"):
        read(table("x", "x.docx"))
    with pytest.raises(InputError, match="is a folder"):
        read(tmp_path)
    with pytest.raises(DataError, match=r"not a whole gzip file"):
        broken = tmp_path / "x.csv.gz"
        broken.write_bytes(gzip.compress(GOOD.encode() * 50)[:-20])
        read(broken)
    (tmp_path / "y.csv.gz").write_bytes(b"id,group,1\n")
    with pytest.raises(InputError, match=r"y\.csv\.gz"):
        read(tmp_path / "y.csv.gz")
