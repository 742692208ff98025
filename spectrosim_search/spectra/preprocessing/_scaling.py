"""Scaling of channels, fitted on training spectra: scaled = (x - mean) × factor."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["fit_scaling"]

_CONSTANT = 1e-7  # a channel whose deviation is below this share of its magnitude is constant in float32


def fit_scaling(kind: str, x: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and factor ``(L,)`` of training spectra ``(n, L)``.

    none: 0 and 1; centre: factor 1; standard: 1 / deviation; pareto: 1 / √deviation, between the two, so that the
    noise of empty channels stays small beside peaks (van den Berg et al. 2006). Under standard and pareto a channel
    that is constant over the training spectra has factor 0: it is zero in all spectra.
    """
    length = x.shape[1]
    if kind == "none":
        return np.zeros(length), np.ones(length)
    mean = x.mean(axis=0, dtype=np.float64)
    if kind == "centre":
        return mean, np.ones(length)
    deviation = x.std(axis=0, dtype=np.float64)
    varies = deviation > _CONSTANT * np.abs(mean)
    size = np.where(varies, deviation, 1.0)
    return mean, np.where(varies, 1 / (np.sqrt(size) if kind == "pareto" else size), 0.0)
