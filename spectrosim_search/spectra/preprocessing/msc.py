"""Multiplicative scatter correction against the mean training spectrum (Geladi, MacDougall and Martens 1985)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError

__all__ = ["FITTED", "LEAST_CORRELATION", "NEEDS_NON_NEGATIVE", "apply", "fit"]

FITTED = True
NEEDS_NON_NEGATIVE = False

LEAST_CORRELATION = 0.01
"""A spectrum correlated less with the reference is divided as if it were correlated so much. Dividing by a slope that
is noise would make it thousands of times larger than any other."""

_FLAT_REFERENCE = 1e-7  # relative deviation that rounding to float32 can make
_FLAT = 1e-12  # the same in double precision


def fit(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the reference ``(L,)``, the mean of training spectra ``(n, L)``. Raises DataError where it is flat."""
    reference = np.asarray(x.mean(axis=0, dtype=np.float64))
    if not reference.std() > _FLAT_REFERENCE * np.abs(reference).max():
        raise DataError(
            "preprocessing 'msc' compares with the mean training spectrum, and that is flat: choose 'snv' or 'none'"
        )
    return reference


def apply(x: NDArray[np.float64], reference: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N, L)`` → ``(N, L)``: x = a + b × reference + rest by least squares, then (x - a) / b.

    A flat spectrum becomes flat at the reference's mean: without a shape there is no path of light to correct.
    """
    mean = reference.mean()
    shape = reference - mean
    size = np.sqrt((shape**2).sum())
    level = x.mean(axis=1, keepdims=True)
    centred = x - level
    norm = np.sqrt((centred**2).sum(axis=1, keepdims=True))
    slope = (centred * shape).sum(axis=1, keepdims=True) / size**2
    least = LEAST_CORRELATION * norm / size
    slope = np.where(slope < 0, np.minimum(slope, -least), np.maximum(slope, least))
    flat = norm <= _FLAT * np.abs(level) * np.sqrt(x.shape[1])
    return np.asarray(np.where(flat, 0.0, centred / np.where(flat, 1.0, slope)) + mean)
