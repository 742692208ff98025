"""Which columns are the axis, and what their names say about it."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError

__all__ = ["Channels", "find_channels", "unit_of"]

_PREFIXED = re.compile(r"^([A-Za-z][A-Za-z/ ]{0,11}?)[ _.:-]?(\d+(?:\.\d+)?)$")
_SUFFIXED = re.compile(r"^(\d+(?:\.\d+)?) ?(m/z|Th|Da|nm|cm-1|cm\^-1|cm⁻¹|1/cm)$", re.IGNORECASE)
_FEATURE = re.compile(r"^(\d+(?:\.\d+)?)@(\d+(?:\.\d+)?)(?:#\d+)?$")
_FEWEST = 3  # a common prefix is believed from this many columns on: 'pc1, pc2' beside a spectrum are not an axis

_UNITS = {
    "m/z": "m/z",
    "mz": "m/z",
    "th": "m/z",
    "da": "m/z",
    "nm": "nm",
    "wavelength": "nm",
    "cm-1": "cm⁻¹",
    "cm^-1": "cm⁻¹",
    "cm⁻¹": "cm⁻¹",
    "1/cm": "cm⁻¹",
    "wavenumber": "cm⁻¹",
}


@dataclass(frozen=True, eq=False)
class Channels:
    """The columns that hold intensities, in the order of the file.

    columns: int64 ``(L,)`` positions in the heading; axis: float64 ``(L,)``; unit: "" where the heading does not say.
    """

    columns: NDArray[np.int64]
    axis: NDArray[np.float64]
    unit: str
    note: str = ""


def unit_of(name: str) -> str:
    """Unit that a heading stands for, "" if none."""
    return _UNITS.get(name.strip().lower(), "")


def _number(name: str, decimal: str) -> float:
    text = name.strip()
    if decimal == ",":
        text = text.replace(",", ".")
    if not text or text[-1] not in "0123456789." or "_" in text:
        return math.nan  # keeps 'nan', 'inf' and Python's 1_000 out
    try:
        value = float(text)
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan


def find_channels(header: Sequence[str], path: Path, decimal: str = ".") -> Channels:
    """Find the axis in a heading.

    In this order: plain numbers; one common prefix (``p0``, ``mz_77.04``) or a unit behind the number (``1100 nm``);
    ``mass@time`` of feature tables, sorted by mass: where masses repeat, the feature's number is the axis. Raises
    DataError if no column fits.
    """
    numbers = np.array([_number(name, decimal) for name in header])
    columns = np.flatnonzero(np.isfinite(numbers))
    first = header[0] if header else ""
    if columns.size:
        return Channels(columns, numbers[columns], unit_of(first))
    for pattern, label, value in ((_SUFFIXED, 2, 1), (_PREFIXED, 1, 2)):
        matches = {i: m for i, name in enumerate(header) if (m := pattern.match(name.strip()))}
        kinds = Counter(m.group(label) for m in matches.values())
        if not kinds:
            continue
        kind, count = kinds.most_common(1)[0]
        if count >= _FEWEST:
            chosen = [i for i, m in matches.items() if m.group(label) == kind]
            values = np.array([float(matches[i].group(value)) for i in chosen])
            return Channels(np.array(chosen), values, unit_of(kind) or unit_of(first))
    features = [
        (float(m.group(1)), float(m.group(2)), i) for i, n in enumerate(header) if (m := _FEATURE.match(n.strip()))
    ]
    if len(features) >= _FEWEST:
        features.sort()
        masses = np.array([f[0] for f in features])
        order = np.array([f[2] for f in features])
        if (np.diff(masses) > 0).all():
            return Channels(order, masses, "m/z")
        note = "several features share one mass: the axis is the feature's number in the order of mass and time"
        return Channels(order, np.arange(1.0, len(features) + 1), "feature", note)
    shown = ", ".join(f"'{n}'" for n in header[:6]) + (", …" if len(header) > 6 else "")
    raise DataError(
        f"{path}: no column is named by a number, so there is no axis (columns: {shown}); "
        "expected one row a spectrum and one column an axis value - transpose the table if spectra are its columns"
    )
