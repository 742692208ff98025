"""Total ion current: each spectrum divided by the sum of its absolute intensities."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FITTED", "NEEDS_NON_NEGATIVE", "apply"]

FITTED = False
NEEDS_NON_NEGATIVE = False


def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N, L)`` → ``(N, L)``; a spectrum of zeros stays zero."""
    total = np.abs(x).sum(axis=1, keepdims=True)
    return x / np.where(total > 0, total, 1.0)
