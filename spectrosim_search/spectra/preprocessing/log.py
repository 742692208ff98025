"""log(1 + tic × L): intensities relative to the mean intensity, large peaks compressed, zeros stay zero."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.spectra.preprocessing import tic

__all__ = ["FITTED", "NEEDS_NON_NEGATIVE", "apply"]

FITTED = False
NEEDS_NON_NEGATIVE = True


def apply(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """``(N, L)`` → ``(N, L)``."""
    return np.asarray(np.log1p(tic.apply(x) * x.shape[1]))
