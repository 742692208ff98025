"""NumPy archives: exact, fast, and the only format that carries the truth of simulated spectra.

Arrays in the archive (N spectra, L channels): ``intensities`` ``(N, L)`` and ``axis`` ``(L,)`` are required;
``sample_ids``, ``groups``, ``labels``, ``split`` ``(N,)`` text; ``axis_unit`` a single text; ``extra_<name>``
``(N,)`` text; ``truth_<name>`` numbers of any shape. Written by :func:`spectrosim_search.spectra.writers.write`; read
without pickle.
"""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.readers._channels import Channels
from spectrosim_search.spectra.readers._table import Table

__all__ = ["SUFFIXES", "read_table"]

SUFFIXES = (".npz",)

_TEXT = {"sample_ids": "sample_id", "groups": "group", "labels": "label", "split": "split"}


def read_table(path: Path) -> Table:
    """Read the archive. Raises DataError where an array is missing, has a wrong shape or is not numbers."""
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise DataError(f"{path}: is not an NPZ archive but a single array; write it with numpy.savez")
        with archive:
            # members that are no arrays come as bytes
            arrays = {name: a for name in archive.files if isinstance(a := archive[name], np.ndarray)}
    except (ValueError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{path}: is not an NPZ archive of plain arrays; write it without pickled objects") from error
    for name in ("intensities", "axis"):
        if name not in arrays:
            raise DataError(f"{path}: array '{name}' is missing (found: {', '.join(sorted(arrays)) or 'none'})")
    for name, values in arrays.items():
        kinds = "iuf" if name in ("intensities", "axis") else "biuf"
        if (kinds == "iuf" or name.startswith("truth_")) and values.dtype.kind not in kinds:
            raise DataError(f"{path}: array '{name}' holds {values.dtype}, not numbers")
    intensities, axis = arrays["intensities"], arrays["axis"].astype(np.float64)
    if intensities.ndim != 2 or axis.shape != intensities.shape[1:] or axis.size == 0:
        raise DataError(f"{path}: intensities {intensities.shape} and axis {axis.shape} should be (N, L) and (L,)")
    if not np.isfinite(axis).all():
        raise DataError(
            f"{path}: axis value number {int(np.flatnonzero(~np.isfinite(axis))[0]) + 1} is not a finite number"
        )
    n = intensities.shape[0]
    text = {}
    for name, values in arrays.items():
        column = _TEXT.get(name) or (name.removeprefix("extra_") if name.startswith("extra_") else "")
        if column:
            if values.shape != (n,):
                raise DataError(f"{path}: array '{name}' has shape {values.shape} for {n} spectra")
            text[column] = _text(path, name, values)
    unit = "".join(_text(path, "axis_unit", np.atleast_1d(arrays.get("axis_unit", np.array("")))).tolist())
    with np.errstate(over="ignore"):  # what overflows float32 is reported cell by cell as infinite
        numbers = intensities.astype(np.float32)
    return Table(
        path=path,
        channels=Channels(np.arange(axis.size), axis, unit),
        channel_names=tuple(f"{a:.10g}" for a in axis),
        values=numbers,
        text=text,
        rows=np.arange(1, n + 1),
        truth={k.removeprefix("truth_"): v.astype(np.float64) for k, v in arrays.items() if k.startswith("truth_")},
    )


def _text(path: Path, name: str, values: NDArray[Any]) -> NDArray[np.str_]:
    try:
        return np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values.astype(np.str_)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: array '{name}' is not text in UTF-8; write it as numpy's str") from error
