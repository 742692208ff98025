"""Pairs of spectra and what is known of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PairSet"]


@dataclass(frozen=True, eq=False)
class PairSet:
    """`P` pairs of one part; rows point into the spectra set.

    `positive`: both are of one group. `stratum`: number of the unordered label pair, -1 where a label is missing.
    """

    left: NDArray[np.int64]  # (P,)
    right: NDArray[np.int64]  # (P,)
    positive: NDArray[np.bool_]  # (P,)
    stratum: NDArray[np.int64]  # (P,)

    def __len__(self) -> int:
        return int(self.left.shape[0])
