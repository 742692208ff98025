"""Fitted preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import ConfigurationError, DataError

__all__ = ["State", "fit", "rowwise"]

_ROWS_AT_ONCE = 4096  # float64 work space stays small beside the data
_CONSTANT = 1e-7  # a channel whose deviation is below this share of its magnitude is constant in float32


def rowwise(settings: Preprocessing, x: NDArray[np.floating]) -> NDArray[np.float32]:
    """Apply what needs no fitting: intensity transform and derivative of each spectrum alone; ``(N, L)`` → float32.

    Raises DataError where the transform cannot take negative intensities or the Savitzky-Golay window is wider than a
    spectrum, ConfigurationError where the window is even.
    """
    transform = registry.load("spectra.preprocessing", settings.intensity)
    if x.ndim != 2:
        raise DataError(f"spectra have shape {x.shape}, expected (N, L)")
    if transform.NEEDS_NON_NEGATIVE and x.size and float(x.min()) < 0:
        row, column = np.argwhere(x < 0)[0]
        raise DataError(
            f"preprocessing '{settings.intensity}' cannot take negative intensities (spectrum {row + 1}, channel "
            f"{column + 1} is {float(x[row, column]):g}); choose 'snv', 'tic' or 'none', or shift them above zero"
        )
    if settings.derivative:
        if settings.window % 2 == 0:
            raise ConfigurationError(
                [f"preprocessing.window is {settings.window}; a Savitzky-Golay window must be odd"]
            )
        if settings.window > x.shape[1]:
            raise DataError(
                f"the derivative's window of {settings.window} channels is wider than the spectra ({x.shape[1]})"
            )
    out = np.empty(x.shape, np.float32)
    for start in range(0, x.shape[0], _ROWS_AT_ONCE):
        rows = slice(start, start + _ROWS_AT_ONCE)
        block = transform.apply(np.asarray(x[rows], dtype=np.float64))
        if settings.derivative:
            from scipy.signal import savgol_filter

            order = min(max(2, settings.derivative), settings.window - 1)
            block = savgol_filter(block, settings.window, order, deriv=settings.derivative, axis=1)
        out[rows] = block
    return out


@dataclass(frozen=True, eq=False)
class State:
    """Preprocessing fitted on training spectra.

    mean, factor: float64 ``(L,)``; scaled = (x - mean) × factor. Without scaling they are 0 and 1. A channel that is
    constant over the training spectra has factor 0, so that it is zero in all spectra.
    """

    settings: Preprocessing
    mean: NDArray[np.float64]
    factor: NDArray[np.float64]

    def transform(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """``(N, L)`` raw intensities → float32 ``(N, L)``. Raises as :func:`rowwise`, and DataError for another L."""
        if x.ndim != 2 or x.shape[1] != self.mean.size:
            raise DataError(f"spectra have shape {x.shape}, the preprocessing was fitted on {self.mean.size} channels")
        return self.scale(rowwise(self.settings, x))

    def scale(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Only the fitted part, for spectra that :func:`rowwise` has gone over."""
        if self.settings.scale == "none":
            return x
        return ((x - self.mean) * self.factor).astype(np.float32)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Arrays to store; the settings travel with the configuration."""
        return {"mean": self.mean, "factor": self.factor}

    @classmethod
    def from_arrays(cls, settings: Preprocessing, arrays: Mapping[str, NDArray[np.floating]]) -> State:
        """Rebuild from :meth:`to_arrays`."""
        return cls(settings, np.asarray(arrays["mean"], np.float64), np.asarray(arrays["factor"], np.float64))


def fit(settings: Preprocessing, x_train: NDArray[np.floating], *, is_rowwise: bool = False) -> State:
    """Fit on training spectra ``(n, L)``; raises as :func:`rowwise`, and DataError for no spectra.

    `is_rowwise`: `x_train` has gone through :func:`rowwise` already (settings that differ in scaling share that work).
    """
    if x_train.ndim != 2 or x_train.shape[0] == 0:
        raise DataError(f"preprocessing is fitted on at least one spectrum; got shape {x_train.shape}")
    length = x_train.shape[1]
    if settings.scale == "none":
        return State(settings, np.zeros(length), np.ones(length))
    x = x_train if is_rowwise else rowwise(settings, x_train)
    mean = x.mean(axis=0, dtype=np.float64)
    deviation = x.std(axis=0, dtype=np.float64)
    varies = deviation > _CONSTANT * np.abs(mean)
    factor = np.where(varies, 1 / np.where(varies, deviation, 1.0), 0.0)
    return State(settings, mean, factor)
