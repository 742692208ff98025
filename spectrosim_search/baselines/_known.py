"""What is known of the training spectra: their groups, or what known pairs imply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput
from spectrosim_search.protocol.folds import union_find

__all__ = ["known_negative", "training_groups"]


def training_groups(data: BaselineInput) -> NDArray[np.int64]:
    """Codes ``(n,)`` of the training rows: their groups, or the components of the pairs known to be the same."""
    if data.relation is None:
        return data.groups[data.train].astype(np.int64)
    known = data.relation[np.ix_(data.train, data.train)]
    left, right = np.nonzero(np.triu(known == 1, 1))
    roots = union_find(data.train.size, left, right)
    return np.unique(roots, return_inverse=True)[1].astype(np.int64)


def known_negative(data: BaselineInput, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether training rows (given as rows of the spectra set) of different components are known to differ."""
    if data.relation is None:
        return np.ones(left.size, dtype=np.bool_)
    known: NDArray[np.bool_] = data.relation[left, right] == 0
    return known
