"""Square root of the total-ion-current normalised spectrum: brings counting noise to one size (Hellinger)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.spectra.preprocessing import tic

__all__ = ["FITTED", "NEEDS_NON_NEGATIVE", "apply"]

FITTED = False
NEEDS_NON_NEGATIVE = True


def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N, L)`` → ``(N, L)`` with unit Euclidean norm."""
    return np.sqrt(tic.apply(x))
