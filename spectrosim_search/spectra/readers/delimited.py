"""CSV and TSV, plain or gzipped: commas, semicolons or tabs, decimal point or comma, UTF-8, UTF-16 or Windows-1252."""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.readers._channels import Channels, find_channels
from spectrosim_search.spectra.readers._peaks import is_peak_list, peak_table
from spectrosim_search.spectra.readers._table import Table, bad_cell

__all__ = ["SUFFIXES", "read_table"]

SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz")

_CELLS_A_CHUNK = 4_000_000  # bounds the parser's memory whatever the width of the table
_LINES_LOOKED_AT = 50  # for a decimal comma
_COMMA_NUMBER = re.compile(r"^\s*-?\d+,\d+\s*$")
_POINT_NUMBER = re.compile(r"^\s*-?\d+\.\d+\s*$")
_DECIMAL_COMMA = re.compile(r"[^,]*\d,\d[^,]*")
_EMPTY = ("", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "#N/A")


@dataclass(frozen=True)
class _Dialect:
    encoding: str
    delimiter: str
    decimal: str
    header: tuple[str, ...]


def _encoding(path: Path) -> str:
    """UTF-16 and UTF-8 by their marks, UTF-8 where all bytes fit, else Windows-1252 (what old Excel writes)."""
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    with opener(path, "rb") as stream:
        head = stream.read(4)
        if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return "utf-16"
        marked = head[:3] == b"\xef\xbb\xbf"
        # Only heading and ids can hold letters beyond ASCII; two megabytes show them, and the parser reports the rest.
        sample = head + stream.read(2_000_000)
    if marked:
        return "utf-8-sig"
    try:
        sample.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(sample) - 4:  # not just a letter cut in two at the end of the sample
            return "cp1252"
    return "utf-8"


def _open_text(path: Path, encoding: str) -> Any:
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rt", encoding=encoding, newline="")
    return path.open("r", encoding=encoding, newline="")


def _fields(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:  # a field of more than 131,072 characters: the line has another delimiter
        return [line]


def _delimiter(heading: str) -> tuple[str, list[str]]:
    """The delimiter that makes most fields of the heading; commas that can all be decimal ones are none."""
    fields = {d: _fields(heading, d) for d in (",", ";", "\t")}
    for other in (";", "\t"):
        if len(fields[other]) > 1 and all("," not in f or _DECIMAL_COMMA.fullmatch(f) for f in fields[other]):
            fields[","] = [heading]
    chosen = max(fields, key=lambda d: len(fields[d]))
    return chosen, fields[chosen]


def _dialect(path: Path) -> _Dialect:
    encoding = _encoding(path)
    with _open_text(path, encoding) as stream:
        heading = stream.readline()
        lines = list(islice(stream, _LINES_LOOKED_AT))
    if not heading.strip():
        what = "the first line is empty" if any(line.strip() for line in lines) else "the file is empty"
        raise DataError(f"{path}: {what}; its first line must be the heading")
    delimiter, header = _delimiter(heading)
    rows = [r for line in lines if (r := _fields(line, delimiter))]
    first = rows[0] if rows else []
    if len(first) == len(header) + 1:
        header = ["", *header]  # R's write.table: the column of row names has no heading
    elif len(first) > len(header):
        raise DataError(f"{path}: row 2 has {len(first)} fields, the heading has {len(header)}; check the delimiter")
    cells = [c for r in (header, *rows) for c in r] if delimiter != "," else []
    # beside numbers with a point, a comma or two are of a column of text
    commas, points = (sum(1 for c in cells if number.match(c)) for number in (_COMMA_NUMBER, _POINT_NUMBER))
    comma = commas > points
    return _Dialect(encoding, delimiter, "," if comma else ".", tuple(h.strip() for h in header))


def _chunks(path: Path, dialect: _Dialect, dtype: dict[int, Any]) -> Iterator[pd.DataFrame]:
    width = len(dialect.header)
    options: dict[str, Any] = {
        "sep": dialect.delimiter,
        "decimal": dialect.decimal,
        "encoding": dialect.encoding,
        "header": None,
        "names": range(width),
        "index_col": False,
        "skiprows": 1,
        "dtype": dtype,
        "keep_default_na": False,
        "na_values": {c: list(_EMPTY) for c, t in dtype.items() if t is not str},
        "skip_blank_lines": False,
        "engine": "c",
        "low_memory": False,
        "chunksize": max(1, _CELLS_A_CHUNK // width),
    }
    # What overflows float32 becomes infinite and is reported with its row and column later.
    with np.errstate(over="ignore"), pd.read_csv(path, **options) as reader:
        yield from reader


def _first_bad_cell(path: Path, dialect: _Dialect, channels: Channels) -> DataError:
    """Read everything as text to name the cell that is not a number (the fast path only knows that there is one)."""
    row = 2
    for chunk in _chunks(path, dialect, dict.fromkeys(range(len(dialect.header)), str)):
        blank = (chunk.fillna("") == "").to_numpy().all(axis=1)
        for column in channels.columns.tolist():
            cells = chunk[column].fillna("").str.strip()
            plain = cells.str.replace(",", ".", regex=False) if dialect.decimal == "," else cells
            bad = pd.to_numeric(plain, errors="coerce").isna() & ~cells.isin(_EMPTY)
            if bad.any():
                position = int(np.flatnonzero(bad.to_numpy() & ~blank)[0])
                return bad_cell(path, row + position, dialect.header[column], cells.iloc[position])
        row += len(chunk)
    return DataError(f"{path}: the table holds cells that are not numbers")


def _cells(path: Path, dialect: _Dialect) -> dict[int, NDArray[np.str_]]:
    """Every cell as stripped text: number of the column → ``(rows,)``."""
    columns = range(len(dialect.header))
    chunks = list(_chunks(path, dialect, dict.fromkeys(columns, str)))
    texts = {i: [c[i].fillna("").to_numpy(dtype=object).astype(np.str_) for c in chunks] for i in columns}
    return {i: np.char.strip(np.concatenate(t)) if t else np.empty(0, "<U1") for i, t in texts.items()}


def read_table(path: Path) -> Table:
    """Read the file in chunks, numbers straight into float32. Raises DataError naming row and column.

    A heading with an id, an m/z and an intensity is that of a list of peaks, one row a peak: summed at unit m/z.
    """
    try:
        dialect = _dialect(path)
        if is_peak_list(dialect.header):
            return peak_table(path, dialect.header, _cells(path, dialect), dialect.decimal)
        channels = find_channels(dialect.header, path, dialect.decimal)
        numeric = set(channels.columns.tolist())
        text_columns = [i for i in range(len(dialect.header)) if i not in numeric]
        dtype: dict[int, Any] = {i: (np.float32 if i in numeric else str) for i in range(len(dialect.header))}
        blocks: list[NDArray[np.float32]] = []
        texts: dict[int, list[NDArray[np.object_]]] = {i: [] for i in text_columns}
        rows: list[NDArray[np.int64]] = []
        start = 2
        for chunk in _chunks(path, dialect, dtype):
            values = chunk[channels.columns.tolist()].to_numpy(dtype=np.float32)
            cells = {i: chunk[i].fillna("").to_numpy(dtype=object) for i in text_columns}
            filled = ~np.isnan(values).all(axis=1)
            for column in cells.values():
                filled |= column != ""
            number = np.arange(start, start + len(chunk))
            start += len(chunk)
            blocks.append(values if filled.all() else values[filled])
            rows.append(number[filled])
            for i in text_columns:
                texts[i].append(cells[i][filled])
    except pd.errors.ParserError as error:
        raise DataError(f"{path}: {_parser_message(error)}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: is not text in {error.encoding}; save it as UTF-8") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{path}: is not a whole gzip file; copy it again") from error
    except ValueError as error:
        if isinstance(error, DataError):
            raise
        raise _first_bad_cell(path, dialect, channels) from error
    names = [dialect.header[i] for i in text_columns]
    if len(set(names)) < len(names):
        twice = next(n for n in names if names.count(n) > 1)
        raise DataError(f"{path}: two columns are named '{twice}'; rename one")
    return Table(
        path=path,
        channels=channels,
        channel_names=tuple(dialect.header[i] for i in channels.columns),
        values=np.concatenate(blocks) if blocks else np.empty((0, channels.columns.size), np.float32),
        text={dialect.header[i]: np.concatenate(texts[i]).astype(np.str_) for i in text_columns} if blocks else {},
        rows=np.concatenate(rows) if rows else np.empty(0, np.int64),
    )


def _parser_message(error: pd.errors.ParserError) -> str:
    found = re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", str(error))
    if found:
        expected, line, saw = found.groups()
        return f"row {line} has {saw} fields, the heading has {expected}; check the row for a stray delimiter"
    found = re.search(r"EOF inside string starting at row (\d+)", str(error))
    if found:  # counted from 0
        return f"row {int(found.group(1)) + 1}: a quotation mark is opened and never closed; close or remove it"
    return f"cannot be read as a table ({str(error).splitlines()[0]})"
