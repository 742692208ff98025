"""Cosine similarity of pairs of rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["pair_cosine", "unit_rows"]

_PAIRS_AT_ONCE = 65_536


def unit_rows(x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rows ``(N, D)`` brought to unit length; a row of zeros stays zero (similarity 0 to everything)."""
    x = np.asarray(x, dtype=np.float64)
    norm = np.sqrt(np.einsum("nd,nd->n", x, x))[:, None]
    return np.asarray(x / np.where(norm > 0, norm, 1.0))


def pair_cosine(unit: NDArray[np.float64], left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
    """Cosine of the rows `left` and `right` of unit-length rows ``(N, D)`` → ``(P,)``."""
    out = np.empty(left.size, np.float32)
    step = max(1, _PAIRS_AT_ONCE * 64 // max(64, unit.shape[1]))
    for start in range(0, left.size, step):
        part = slice(start, start + step)
        out[part] = np.einsum("pd,pd->p", unit[left[part]], unit[right[part]])
    return out
