"""Least-squares polynomial over the channels (detrending, Barnes, Dhanoa and Lister 1989)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Preprocessing

__all__ = ["basis", "estimate"]


def basis(order: int, length: int) -> NDArray[np.float64]:
    """Orthonormal polynomials ``(K, L)`` of degree 0 to `order` over evenly spaced channels; K = min(order + 1, L)."""
    place = np.linspace(-1, 1, length)
    columns: NDArray[np.float64] = np.linalg.qr(np.polynomial.legendre.legvander(place, order))[0]
    return np.ascontiguousarray(columns.T)


def estimate(x: NDArray[np.float64], settings: Preprocessing) -> NDArray[np.float64]:
    """``(n, L)`` → ``(n, L)``. Sums of each row alone, no matrix product: those depend on the number of rows."""
    out = np.zeros_like(x)
    for polynomial in basis(settings.baseline_order, x.shape[1]):
        out += (x * polynomial).sum(axis=1, keepdims=True) * polynomial
    return out
