"""What happens to each spectrum alone, up to the first step that is fitted."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.preprocessing._binning import bin_rows
from spectrosim_search.spectra.preprocessing._derivative import check_window, derive

__all__ = ["ROWS_AT_ONCE", "intensity_of", "rowwise", "rowwise_settings"]

ROWS_AT_ONCE = 4096  # float64 work space stays small beside the data
_ROUNDING = 1e-7  # what a baseline leaves of a spectrum below this share of its largest intensity is rounding
_DEFAULT = Preprocessing()


def intensity_of(settings: Preprocessing) -> ModuleType:
    """The module of the intensity transform."""
    return registry.load("spectra.preprocessing", settings.intensity)


def rowwise_settings(settings: Preprocessing) -> Preprocessing:
    """The part of the settings that :func:`rowwise` uses, all else at one fixed value.

    Equal results mean equal work: configurations, folds and seeds can share it.
    """
    if intensity_of(settings).FITTED:
        settings = replace(settings, intensity="none", derivative=0)
    return replace(
        settings,
        scale="none",
        window=settings.window if settings.derivative else _DEFAULT.window,
        baseline_width=settings.baseline_width if settings.baseline in ("snip", "arpls") else _DEFAULT.baseline_width,
        baseline_order=settings.baseline_order if settings.baseline == "polynomial" else _DEFAULT.baseline_order,
    )


def rowwise(settings: Preprocessing, x: NDArray[np.floating]) -> NDArray[np.float32]:
    """Apply what needs no fitting; ``(N, L)`` → float32 ``(N, settings.channels(L))``.

    That is baseline removal, binning, intensity transform and derivative; of a fitted intensity transform (msc) and the
    derivative behind it, nothing. Where a baseline was removed and the transform takes no negative values, what lies
    below the baseline counts as zero.

    Raises DataError where the transform cannot take negative intensities, binning leaves less than two channels or the
    Savitzky-Golay window is wider than a spectrum, ConfigurationError where the window is even.
    """
    transform = intensity_of(settings)
    if x.ndim != 2:
        raise DataError(f"spectra have shape {x.shape}, expected (N, L)")
    channels = settings.channels(x.shape[1])
    if settings.binning > 1 and channels < 2:
        raise DataError(
            f"binning by {settings.binning} leaves one channel of {x.shape[1]}: choose a smaller preprocessing.binning"
        )
    check_window(settings, channels)
    if transform.NEEDS_NON_NEGATIVE and settings.baseline == "none":
        _check_not_negative(settings, x)
    out = np.empty((x.shape[0], channels), np.float32)
    for start in range(0, x.shape[0], ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        block = bin_rows(_without_baseline(settings, np.asarray(x[rows], dtype=np.float64)), settings.binning)
        if not transform.FITTED:
            if transform.NEEDS_NON_NEGATIVE:
                block = np.maximum(block, 0.0)
            block = derive(transform.apply(block), settings)
        out[rows] = block
    return out


def _check_not_negative(settings: Preprocessing, x: NDArray[np.floating]) -> None:
    if x.size and float(x.min()) < 0:
        row, column = np.argwhere(x < 0)[0]
        raise DataError(
            f"preprocessing '{settings.intensity}' cannot take negative intensities (spectrum {row + 1}, channel "
            f"{column + 1} is {float(x[row, column]):g}); choose 'snv', 'tic' or 'none', or shift them above zero"
        )


def _without_baseline(settings: Preprocessing, x: NDArray[np.float64]) -> NDArray[np.float64]:
    if settings.baseline == "none":
        return x
    left = x - registry.load("spectra.preprocessing._baseline", settings.baseline).estimate(x, settings)
    largest = np.abs(x).max(axis=1, keepdims=True, initial=0.0)
    rounding = np.abs(left).max(axis=1, keepdims=True, initial=0.0) <= _ROUNDING * largest
    return np.where(rounding, 0.0, left)
