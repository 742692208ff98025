"""Asymmetrically reweighted penalised least squares (Baek, Park, Ahn and Choo, Analyst 140, 250, 2015)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Preprocessing

__all__ = ["estimate", "smoothness"]

_TOLERANCE = 1e-3  # relative change of the weights at which a spectrum is done
_ITERATIONS = 50
_VALUES_AT_ONCE = 1 << 19  # one banded solve for so many channels: four arrays of 4 MB stay near the processor
_STEEP = 350.0  # half the exponent beyond which exp would overflow; the weight is 0 long before


def smoothness(settings: Preprocessing) -> float:
    """Penalty λ on second differences whose smoother halves a wave of `baseline_width` channels.

    Unweighted, the smoother passes a wave of w radians a channel by 1 / (1 + λ w⁴).
    """
    return (settings.baseline_width / (2 * math.pi)) ** 4


def estimate(x: NDArray[np.float64], settings: Preprocessing) -> NDArray[np.float64]:
    """``(n, L)`` → ``(n, L)``; each spectrum is iterated until its own weights settle.

    Spectra lie behind each other in one banded system without coupling, so that one call of LAPACK solves for many.
    """
    if x.shape[1] < 3:  # there are no second differences: nothing tells a baseline from a spectrum
        return np.zeros_like(x)
    centre = x.mean(axis=1, keepdims=True)  # the penalty ignores a constant; without it a flat spectrum is exactly flat
    out = np.empty_like(x)
    penalty = smoothness(settings)
    step = max(1, _VALUES_AT_ONCE // x.shape[1])
    for start in range(0, len(x), step):
        rows = slice(start, start + step)
        out[rows] = centre[rows] + _estimate(x[rows] - centre[rows], penalty)
    return out


def _estimate(x: NDArray[np.float64], penalty: float) -> NDArray[np.float64]:
    from scipy.linalg import solveh_banded

    length = x.shape[1]
    bands = penalty * _second_differences(length)
    weights = np.ones_like(x)
    out = np.zeros_like(x)
    active = np.arange(len(x))
    for _ in range(_ITERATIONS):
        if not active.size:
            break
        values, w = x[active], weights[active]
        system = np.tile(bands, (1, len(active)))
        system[2] += w.ravel()
        solved = solveh_banded(system, (w * values).ravel(), overwrite_ab=True, overwrite_b=True, check_finite=False)
        fitted = solved.reshape(len(active), length)
        out[active] = fitted
        renewed = _weights(values - fitted, w)
        change = np.sqrt(((renewed - w) ** 2).sum(axis=1) / (w**2).sum(axis=1))
        weights[active] = renewed
        active = active[change >= _TOLERANCE]
    return out


def _weights(residual: NDArray[np.float64], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Equation 11: near 1 within the noise (known from what lies below the baseline), 0 for peaks.

    A spectrum with fewer than two different values below its baseline shows no noise and keeps its weights.
    """
    below = residual < 0
    count = below.sum(axis=1, keepdims=True)
    mean = np.where(below, residual, 0.0).sum(axis=1, keepdims=True) / np.maximum(count, 1)
    square = np.where(below, (residual - mean) ** 2, 0.0).sum(axis=1, keepdims=True)
    deviation = np.sqrt(square / np.maximum(count - 1, 1))
    noisy = deviation > 0
    distance = (residual - (2 * deviation - mean)) / np.where(noisy, deviation, 1.0)
    return np.where(noisy, 1 / (1 + np.exp(2 * np.clip(distance, -_STEEP, _STEEP))), before)


def _second_differences(length: int) -> NDArray[np.float64]:
    """Upper bands ``(3, L)`` of D'D, D the second difference; zeros where the next spectrum begins."""
    bands = np.zeros((3, length))
    values = (1.0, -2.0, 1.0)
    for first in range(3):
        for second in range(first, 3):
            bands[2 - (second - first), second : second + length - 2] += values[first] * values[second]
    return bands
