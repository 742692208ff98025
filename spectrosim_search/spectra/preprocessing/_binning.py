"""Binning: neighbouring channels become one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bin_axis", "bin_rows"]


def bin_rows(x: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """``(N, L)`` → ``(N, ⌈L / size⌉)``: means of `size` neighbouring channels, the last of the channels left over.

    Means and not sums, because a last bin of fewer channels would stand out by its size.
    """
    if size == 1:
        return x
    rows, length = x.shape
    whole = length // size
    out = np.empty((rows, -(-length // size)))
    out[:, :whole] = x[:, : whole * size].reshape(rows, whole, size).mean(axis=2)
    if whole * size < length:
        out[:, whole] = x[:, whole * size :].mean(axis=1)
    return out


def bin_axis(axis: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    """Centres of the bins ``(⌈L / size⌉,)``: the means of their channels' positions."""
    return bin_rows(np.asarray(axis, np.float64)[None], size).reshape(-1)
