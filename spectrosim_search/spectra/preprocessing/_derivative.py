"""Savitzky-Golay derivative along the channels (Savitzky and Golay 1964)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import ConfigurationError, DataError

__all__ = ["check_window", "derive"]


def check_window(settings: Preprocessing, channels: int) -> None:
    """Raise ConfigurationError for an even window, DataError for one that is wider than spectra of `channels`."""
    if not settings.derivative:
        return
    if settings.window % 2 == 0:
        raise ConfigurationError([f"preprocessing.window is {settings.window}; a Savitzky-Golay window must be odd"])
    if settings.window > channels:
        binned = f" after binning by {settings.binning}" if settings.binning > 1 else ""
        raise DataError(
            f"the derivative's window of {settings.window} channels is wider than the spectra ({channels}{binned})"
        )


def derive(x: NDArray[np.float64], settings: Preprocessing) -> NDArray[np.float64]:
    """``(N, L)`` → ``(N, L)``; a parabola through the window, at the ends the last whole window's."""
    if not settings.derivative:
        return x
    from scipy.signal import savgol_filter

    order = min(max(2, settings.derivative), settings.window - 1)
    return np.asarray(savgol_filter(x, settings.window, order, deriv=settings.derivative, axis=1))
