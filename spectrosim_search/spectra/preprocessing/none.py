"""Intensities as they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["FITTED", "NEEDS_NON_NEGATIVE", "apply"]

FITTED = False
NEEDS_NON_NEGATIVE = False


def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``(N, L)`` unchanged."""
    return x
