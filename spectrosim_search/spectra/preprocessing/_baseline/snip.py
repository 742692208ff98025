"""SNIP: statistics-sensitive non-linear iterative peak clipping (Ryan et al. 1988; Morháč 2009, decreasing window)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Preprocessing

__all__ = ["estimate", "half_window"]


def half_window(settings: Preprocessing, length: int) -> int:
    """Widest half window in channels; a window cannot be wider than the spectrum."""
    return min(settings.baseline_width // 2, (length - 1) // 2)


def estimate(x: NDArray[np.float64], settings: Preprocessing) -> NDArray[np.float64]:
    """``(n, L)`` → ``(n, L)``, nowhere above the spectrum.

    Every channel is clipped to the mean of its two neighbours p channels away, for p from the half window down to 1.
    Within p channels of an end there is no pair of neighbours and nothing is clipped, so the baseline rises to the
    spectrum there; extrapolating instead would invent one.
    """
    baseline = x.copy()
    for p in range(half_window(settings, x.shape[1]), 0, -1):
        middle = (baseline[:, : -2 * p] + baseline[:, 2 * p :]) * 0.5
        np.minimum(baseline[:, p:-p], middle, out=baseline[:, p:-p])
    return baseline
