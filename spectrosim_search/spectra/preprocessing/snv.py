"""Standard normal variate: each spectrum centred and divided by its own standard deviation (Barnes et al. 1989)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FITTED", "NEEDS_NON_NEGATIVE", "apply"]

FITTED = False
NEEDS_NON_NEGATIVE = False

_FLAT = 1e-12  # relative deviation that rounding alone can make


def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N, L)`` → ``(N, L)``; a flat spectrum becomes zeros."""
    mean = x.mean(axis=1, keepdims=True)
    deviation = x.std(axis=1, keepdims=True)
    varies = deviation > _FLAT * np.abs(mean)
    return np.where(varies, (x - mean) / np.where(varies, deviation, 1.0), 0.0)
