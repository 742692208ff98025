"""What is known of the training spectra: their groups, or what known pairs imply."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput

__all__ = ["components", "known_negative", "training_groups"]


def components(size: int, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    """Union-find: code of the connected component of each of `size` nodes, joined by the edges (left, right)."""
    parent = np.arange(size)

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = int(parent[node])
        return node

    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        high, low = sorted((root(a), root(b)), reverse=True)
        parent[high] = low
    codes: NDArray[np.int64] = np.unique([root(i) for i in range(size)], return_inverse=True)[1].astype(np.int64)
    return codes


def training_groups(data: BaselineInput) -> NDArray[np.int64]:
    """Codes ``(n,)`` of the training rows: their groups, or the components of the pairs known to be the same."""
    if data.relation is None:
        return data.groups[data.train].astype(np.int64)
    known = data.relation[np.ix_(data.train, data.train)]
    left, right = np.nonzero(np.triu(known == 1, 1))
    return components(data.train.size, left, right)


def known_negative(data: BaselineInput, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Whether training rows (given as rows of the spectra set) of different components are known to differ."""
    if data.relation is None:
        return np.ones(left.size, dtype=np.bool_)
    known: NDArray[np.bool_] = data.relation[left, right] == 0
    return known
