"""Fitted preprocessing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.preprocessing._binning import bin_axis
from spectrosim_search.spectra.preprocessing._derivative import check_window, derive
from spectrosim_search.spectra.preprocessing._rowwise import ROWS_AT_ONCE, intensity_of, rowwise
from spectrosim_search.spectra.preprocessing._scaling import fit_scaling

__all__ = ["State", "fit"]


@dataclass(frozen=True, eq=False)
class State:
    """Preprocessing fitted on training spectra of L channels; C channels are left after binning.

    mean, factor: float64 ``(C,)``; scaled = (x - mean) × factor. Without scaling they are 0 and 1.
    reference: float64 ``(C,)``, the mean training spectrum before a fitted intensity transform (msc), else None.
    channels: L.
    """

    settings: Preprocessing
    mean: NDArray[np.float64]
    factor: NDArray[np.float64]
    channels: int
    reference: NDArray[np.float64] | None = None

    def transform(self, x: NDArray[np.floating]) -> NDArray[np.float32]:
        """``(N, L)`` raw intensities → float32 ``(N, C)``. Raises as :func:`rowwise`, and DataError for another L."""
        if x.ndim != 2 or x.shape[1] != self.channels:
            raise DataError(f"spectra have shape {x.shape}, the preprocessing was fitted on {self.channels} channels")
        return self.finish(rowwise(self.settings, x))

    def finish(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Only the fitted part and what follows it, for spectra ``(N, C)`` that :func:`rowwise` has gone over.

        Where nothing is left to do the very array comes back.
        """
        x = _fitted_intensity(self.settings, x, self.reference)
        if self.settings.scale == "none":
            return x
        return ((x - self.mean) * self.factor).astype(np.float32)

    def axis(self, axis: NDArray[np.float64]) -> NDArray[np.float64]:
        """Axis ``(C,)`` of transformed spectra from that of measured ones ``(L,)``: the centres of the bins."""
        return bin_axis(axis, self.settings.binning)

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Arrays to store; the settings travel with the configuration."""
        arrays = {"mean": self.mean, "factor": self.factor, "channels": np.array([self.channels], np.float64)}
        return arrays if self.reference is None else {**arrays, "reference": self.reference}

    @classmethod
    def from_arrays(cls, settings: Preprocessing, arrays: Mapping[str, NDArray[np.floating]]) -> State:
        """Rebuild from :meth:`to_arrays`. Raises KeyError where an array is missing, DataError where sizes differ."""
        needed = ["mean", "factor"] + (["reference"] if intensity_of(settings).FITTED else [])
        found = {name: np.asarray(arrays[name], np.float64) for name in needed}
        stored = arrays.get("channels", [found["mean"].size])  # models from before there was binning do not say
        if len(stored) != 1:
            raise DataError("the preprocessing does not say how many channels it takes: train the model again")
        channels = int(stored[0])
        for name, values in found.items():
            if values.shape != (settings.channels(channels),):
                raise DataError(
                    f"'{name}' of the preprocessing has shape {values.shape}; {channels} channels binned by "
                    f"{settings.binning} make {settings.channels(channels)}: the model is damaged, train it again"
                )
        return cls(settings, found["mean"], found["factor"], channels, found.get("reference"))


def fit(settings: Preprocessing, x_train: NDArray[np.floating], *, channels: int | None = None) -> State:
    """Fit on training spectra ``(n, L)``; raises as :func:`rowwise`, and DataError for no spectra.

    With `channels` (the L of the measured spectra), `x_train` has gone through :func:`rowwise` already: settings, folds
    and seeds that differ in what is fitted share that work.
    """
    if x_train.ndim != 2 or x_train.shape[0] == 0:
        raise DataError(f"preprocessing is fitted on at least one spectrum; got shape {x_train.shape}")
    intensity = intensity_of(settings)
    length = x_train.shape[1] if channels is None else channels
    check_window(settings, settings.channels(length))
    if settings.scale == "none" and not intensity.FITTED:
        left = settings.channels(length)
        return State(settings, np.zeros(left), np.ones(left), length)
    x = np.asarray(x_train, np.float32) if channels is not None else rowwise(settings, x_train)
    reference = intensity.fit(x) if intensity.FITTED else None
    mean, factor = fit_scaling(settings.scale, _fitted_intensity(settings, x, reference))
    return State(settings, mean, factor, length, reference)


def _fitted_intensity(
    settings: Preprocessing, x: NDArray[np.float32], reference: NDArray[np.float64] | None
) -> NDArray[np.float32]:
    if reference is None:
        return x
    transform = intensity_of(settings)
    out = np.empty_like(x)
    for start in range(0, x.shape[0], ROWS_AT_ONCE):
        rows = slice(start, start + ROWS_AT_ONCE)
        out[rows] = derive(transform.apply(np.asarray(x[rows], np.float64), reference), settings)
    return out
