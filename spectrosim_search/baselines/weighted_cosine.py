"""Cosine of spectra whose peaks are weighted by mass: intensity^1/2 × (m/z)^2.

Stein and Scott (J. Am. Soc. Mass Spectrom. 5, 1994) found the square root of the intensity and the square or cube of
the mass nearly optimal for library search: heavy ions are rare and tell more. With powers 1 and 1/2 it is the
weighted cosine of the synthesis paper, Σ m·x·y / (√Σ m·x² · √Σ m·y²).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._cosine import pair_cosine, unit_rows
from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["INTENSITY", "MASS", "TITLE", "fit_score", "require_masses", "weighted"]

TITLE = "weighted cosine"
INTENSITY, MASS = 0.5, 2.0
_MASS_UNITS = ("", "m/z", "Th", "Da")  # a table need not name its unit


def weighted(
    x: NDArray[np.floating], mz: NDArray[np.float64], intensity: float = INTENSITY, mass: float = MASS
) -> NDArray[np.float64]:
    """Peaks ``(N, L)`` over m/z ``(L,)`` → max(x, 0)^intensity × (m/z / largest m/z)^mass.

    Ions are counted, so a negative intensity is what a baseline subtraction left of none: 0.
    """
    return np.asarray(np.maximum(np.asarray(x, np.float64), 0.0) ** intensity * (mz / mz[-1]) ** mass)


def require_masses(spectra: SpectraSet) -> None:
    """Raise DataError where the axis is no m/z: another unit is named or a value is not positive."""
    if spectra.axis_unit not in _MASS_UNITS or spectra.axis[0] <= 0:
        raise DataError("the weighted cosine needs mass spectra: the axis is not m/z; leave it out")


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Nothing is fitted. Raises DataError where the axis is no m/z: another unit is named or a value is not
    positive."""
    spectra = data.spectra
    require_masses(spectra)
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *(np.concatenate([p.left, p.right]) for p in data.pairs)]))
    unit = unit_rows(weighted(spectra.intensities[rows], spectra.axis))
    places = ((np.searchsorted(rows, p.left), np.searchsorted(rows, p.right)) for p in data.pairs)
    line = f"intensity^{INTENSITY:g} x mass^{MASS:g}"
    return BaselineOutput(tuple(pair_cosine(unit, left, right) for left, right in places), line)
