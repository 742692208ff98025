"""Peaks of many spectra at unit m/z, and lists of peaks in long form: one row a peak."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.readers._channels import Channels
from spectrosim_search.spectra.readers._table import Table, bad_cell

__all__ = ["HIGHEST_MZ", "bin_peaks", "is_peak_list", "peak_table"]

HIGHEST_MZ = 1e6  # in Th; what is above is in another unit, or no m/z, and would make an axis beyond all memory
_BASE = 1000.0
_MZ = ("mz", "m/z")
_INTENSITY = ("intensity", "abundance")
_IDS = ("sample_id", "spectrum_id", "id")
_BESIDE = ("samples.csv", "extra.csv")  # in the list's folder: one row a spectrum


def bin_peaks(
    record: NDArray[np.int64], mz: NDArray[np.float64], intensity: NDArray[np.float64], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Sum peaks ``(P,)`` of `count` records at unit m/z: ``(count, L)``, base peaks 1000, and the axis ``(L,)``.

    The axis runs without gaps from the lowest to the highest nominal m/z; m/z is rounded half up.
    """
    nominal = np.floor(mz + 0.5).astype(np.int64)
    low, high = int(nominal.min()), int(nominal.max())
    out = np.zeros((count, high - low + 1))
    np.add.at(out, (record, nominal - low), intensity)
    top = out.max(axis=1, keepdims=True)
    return (_BASE * out / np.where(top > 0, top, 1.0)).astype(np.float32), np.arange(low, high + 1, dtype=np.float64)


def _named(header: Sequence[str], names: Sequence[str]) -> int:
    plain = [h.strip().lower() for h in header]
    return next((plain.index(n) for n in names if n in plain), -1)


def is_peak_list(header: Sequence[str]) -> bool:
    """Whether a heading has an id, an m/z and an intensity."""
    return min(_named(header, names) for names in (_IDS, _MZ, _INTENSITY)) >= 0


def peak_table(path: Path, header: Sequence[str], cells: Mapping[int, NDArray[np.str_]], decimal: str) -> Table:
    """The table of spectra that a list of peaks stands for, in the order in which their ids appear.

    cells: text ``(P,)`` of each column of the heading. Columns beside id, m/z and intensity belong to the
    spectrum. Where there are none, they are taken from ``samples.csv`` or ``extra.csv`` in the same folder. Raises
    DataError naming row and column of what is no peak, and where rows of one spectrum contradict each other.
    """
    at = [_named(header, names) for names in (_IDS, _MZ, _INTENSITY)]
    filled = np.flatnonzero(np.any([cells[i] != "" for i in range(len(header))], axis=0))
    rows = filled + 2
    cells = {i: column[filled] for i, column in cells.items()}
    peaks = [_numbers(path, header[i], cells[i], decimal, rows) for i in at[1:]]
    if not peaks[0].size:
        raise DataError(f"{path}: the list has a heading but no peaks")
    for column, value, fits, rule in (
        (at[1], peaks[0], peaks[0] > 0, "m/z is above 0"),
        (at[1], peaks[0], peaks[0] <= HIGHEST_MZ, f"m/z is at most {HIGHEST_MZ:,.0f}"),
        (at[2], peaks[1], peaks[1] >= 0, "an intensity is at least 0"),
    ):
        bad = np.flatnonzero(~fits)
        if bad.size:
            raise DataError(f"{path}: row {rows[bad[0]]}, column '{header[column]}': {value[bad[0]]:g}, but {rule}")
    ids, first, owner = np.unique(cells[at[0]], return_index=True, return_inverse=True)
    order = np.argsort(first)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    ids, first, owner = ids[order], first[order], place[owner]
    text = {}
    for i in (i for i in range(len(header)) if i not in at):
        told = cells[i]
        differs = np.flatnonzero(told != told[first][owner])
        if differs.size:
            raise DataError(
                f"{path}: row {rows[differs[0]]}, column '{header[i]}': '{told[differs[0]]}', but spectrum "
                f"'{ids[owner[differs[0]]]}' has '{told[first][owner][differs[0]]}' above"
            )
        text[header[i]] = told[first]
    warnings: tuple[str, ...] = ()
    if not text:
        text, warnings = _beside(path, ids)
    values, axis = bin_peaks(owner, peaks[0], peaks[1], ids.size)
    return Table(
        path=path,
        channels=Channels(np.arange(axis.size), axis, "m/z"),
        channel_names=tuple(f"{a:g}" for a in axis),
        values=values,
        text={header[at[0]]: ids} | _compound(text) | text,
        rows=rows[first],
        warnings=warnings,
        peaks=True,
    )


def _numbers(
    path: Path, name: str, cells: NDArray[np.str_], decimal: str, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    plain = np.char.replace(cells, ",", ".") if decimal == "," else cells
    values = pd.to_numeric(pd.Series(plain), errors="coerce").to_numpy(dtype=np.float64)
    bad = np.flatnonzero(~np.isfinite(values))
    if bad.size:
        raise bad_cell(path, int(rows[bad[0]]), name, cells[bad[0]])
    return values


def _compound(text: Mapping[str, NDArray[np.str_]]) -> dict[str, NDArray[np.str_]]:
    """A column ``group`` of InChIKeys, as in libraries (:mod:`.msp`), where no column names the compound or group."""
    lower = {n.strip().lower(): v for n, v in text.items()}
    return {"group": lower["inchikey"]} if "inchikey" in lower and not lower.keys() & {"group", "compound"} else {}


def _beside(path: Path, ids: NDArray[np.str_]) -> tuple[dict[str, NDArray[np.str_]], tuple[str, ...]]:
    """Columns of the spectra from a table in the same folder, and a note that says so."""
    for name in _BESIDE:
        table = path.with_name(name)
        if not table.is_file():
            continue
        try:
            with table.open(encoding="utf-8-sig", newline="") as stream:
                rows = list(csv.DictReader(stream))
        except (UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{table}: cannot be read as CSV ({error}); correct or remove it") from error
        key = next((k for k in rows[0] if k and k.strip().lower() in _IDS), "") if rows else ""
        if rows and not key:
            raise DataError(f"{table}: no column {', '.join(_IDS[:-1])} or {_IDS[-1]} names the spectra of {path.name}")
        known: dict[str, dict[str, str]] = {}
        for row in rows:
            name_of = (row[key] or "").strip()
            if name_of in known and known[name_of] != row:
                raise DataError(f"{table}: spectrum '{name_of}' stands in more than one row; remove all but one")
            known[name_of] = row
        missing = [i for i in ids.tolist() if i not in known]
        if missing:
            raise DataError(f"{table}: has no row for spectrum '{missing[0]}' of {path.name}; complete or remove it")
        columns = [c for c in rows[0] if c and c != key]
        found = {c: np.array([known[i][c] or "" for i in ids.tolist()], dtype=np.str_) for c in columns}
        return found, (f"columns of the spectra are those of {name} beside {path.name}",)
    return {}, ()
