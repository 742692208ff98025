"""MSP: the text form in which libraries of mass spectra are exchanged (NIST, MassBank, MoNA).

A record is lines ``Name: …``, ``InChIKey: …``, ``Num Peaks: n`` and so on, then its peaks, m/z and intensity separated
by spaces, tabs, commas or colons, one a line or several parted by semicolons; records are parted by empty lines. Peaks
are summed at unit m/z, m/z rounded half up (nominal masses of organic compounds lie a little above their integers); the
base peak of every spectrum becomes 1000.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.readers._channels import Channels
from spectrosim_search.spectra.readers._peaks import HIGHEST_MZ, bin_peaks
from spectrosim_search.spectra.readers._table import Table

__all__ = ["SUFFIXES", "read_table"]

SUFFIXES = (".msp", ".msp.gz")

_HEADER = re.compile(r"^\s*([^\W\d_][^:]*?)\s*:\s*(.*?)\s*$")
_PEAK = re.compile(r"([0-9.eE+\-]+)[\s,:]+([0-9.eE+\-]+)(?:[\s,]+\"[^\"]*\"|[\s,]+'[^']*')?")
# heading in lower case → name of the column; others keep theirs
_COLUMNS = {"name": "compound_name", "inchikey": "inchikey", "db#": "db#", "id": "id", "formula": "formula"}


@dataclass
class _Record:
    line: int
    fields: dict[str, str] = field(default_factory=dict)
    peaks: list[tuple[float, float]] = field(default_factory=list)
    announced: int = -1


def _peaks(path: Path, number: int, line: str) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for piece in line.split(";"):
        text = piece.strip()
        if not text:
            continue
        place, pairs = 0, 0
        while match := _PEAK.match(text, place):
            try:
                peak = float(match.group(1)), float(match.group(2))
            except ValueError:
                break
            found.append(peak)
            pairs += 1
            place = match.end()
            place += len(text[place:]) - len(text[place:].lstrip(" \t,"))
        if not pairs or place < len(text):
            raise DataError(f"{path}: line {number}: '{text[:40]}' is no peak; expected m/z and intensity")
        if not all(0 < mz <= HIGHEST_MZ and 0 <= intensity < np.inf for mz, intensity in found[-pairs:]):
            raise DataError(
                f"{path}: line {number}: '{text[:40]}': m/z must be above 0 and at most {HIGHEST_MZ:,.0f}, the "
                "intensity at least 0"
            )
    return found


def _records(path: Path, lines: list[str]) -> Iterator[_Record]:
    current: _Record | None = None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            if current is not None:
                yield current
            current = None
            continue
        heading = None if current is not None and current.announced >= 0 else _HEADER.match(line)
        if heading is None:
            if current is None or current.announced < 0:
                raise DataError(f"{path}: line {number}: '{line.strip()[:40]}' stands before any 'Num Peaks:' line")
            if current.peaks and len(current.peaks) >= current.announced and _HEADER.match(line):
                yield current  # no empty line between two records
                current = _Record(number)
                heading = _HEADER.match(line)
            else:
                current.peaks += _peaks(path, number, line)
                continue
        if current is None:
            current = _Record(number)
        assert heading is not None
        name, value = heading.group(1), heading.group(2)
        if name.lower() in ("num peaks", "num_peaks", "numpeaks"):
            try:
                current.announced = int(value.split()[0])
            except (ValueError, IndexError) as error:
                raise DataError(f"{path}: line {number}: '{value}' is not a number of peaks") from error
        elif value:
            column = _COLUMNS.get(name.lower(), name)
            earlier = current.fields.get(column)
            current.fields[column] = value if earlier is None else f"{earlier}; {value}"  # synonyms repeat
    if current is not None:
        yield current


def read_table(path: Path) -> Table:
    """Read the library. Raises DataError naming the line of what is no MSP, a wrong number of peaks, no record.

    The compound is the InChIKey, where no record has one the name: column ``group`` unless the file has its own. The
    sample id is ``DB#`` or ``ID`` where all records have a different one, else the record's number.
    """
    raw = path.read_bytes()
    try:
        text = (gzip.decompress(raw) if path.name.lower().endswith(".gz") else raw).decode("utf-8-sig", "replace")
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{path}: is not a whole gzip file") from error
    records = list(_records(path, text.splitlines()))
    if not records:
        raise DataError(f"{path}: holds no record")
    for record in records:
        if record.announced != len(record.peaks):
            told = "no 'Num Peaks:' line" if record.announced < 0 else f"{record.announced} peaks announced"
            raise DataError(f"{path}: record at line {record.line}: {told}, {len(record.peaks)} found")
    if not any(r.peaks for r in records):
        raise DataError(f"{path}: no record has a peak")
    count = len(records)
    owner = np.repeat(np.arange(count), [len(r.peaks) for r in records])
    peaks = np.array([p for r in records for p in r.peaks], dtype=np.float64)
    values, axis = bin_peaks(owner, peaks[:, 0], peaks[:, 1], count)
    names = list(dict.fromkeys(n for r in records for n in r.fields))
    columns = {n: np.array([r.fields.get(n, "") for r in records], dtype=np.str_) for n in names}
    text_columns = {"sample_id": _ids(columns, count)}
    if not any(n.lower() == "group" for n in names):
        compound = columns.get("inchikey", columns.get("compound_name", np.full(count, "", dtype="<U1")))
        text_columns["group"] = compound
    return Table(
        path=path,
        channels=Channels(np.arange(axis.size), axis, "m/z"),
        channel_names=tuple(f"{a:g}" for a in axis),
        values=values,
        text=text_columns | columns,
        rows=np.array([r.line for r in records], dtype=np.int64),
        peaks=True,
    )


def _ids(columns: dict[str, NDArray[np.str_]], count: int) -> NDArray[np.str_]:
    for name in ("sample_id", "db#", "id"):
        found = columns.get(name)
        if found is not None and np.unique(found).size == count and (found != "").all():
            return columns.pop(name)
    return np.array([f"record{i + 1}" for i in range(count)], dtype=np.str_)
