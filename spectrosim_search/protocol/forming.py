"""Forming pairs of spectra, in bounded memory.

50,000 spectra make 1.25 billion pairs. A part keeps at most :data:`MAX_PAIRS`: all positives (at most half of the
limit) and a uniform sample without replacement of the negatives. The sample leaves every AUC unbiased; the error it
adds is far below the error from the number of groups.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.protocol.cells import Codes
from spectrosim_search.protocol.pairs import PairSet

__all__ = ["MAX_PAIRS", "empty_pairs", "pair_set", "pairs_between", "pairs_inside"]

IntArray = NDArray[np.int64]
MAX_PAIRS = 500_000


def pair_set(codes: Codes, left: IntArray, right: IntArray) -> PairSet:
    """Say of given pairs of rows whether they are of one group, and number their unordered label pair."""
    a, b = codes.labels[left], codes.labels[right]
    stratum = np.minimum(a, b) * max(1, len(codes.label_names)) + np.maximum(a, b)
    stratum = np.where((a < 0) | (b < 0), -1, stratum).astype(np.int64)
    return PairSet(left, right, codes.groups[left] == codes.groups[right], stratum)


def empty_pairs() -> PairSet:
    """No pairs at all."""
    nothing = np.empty(0, dtype=np.int64)
    return PairSet(nothing, nothing, np.empty(0, dtype=np.bool_), nothing)


def pairs_inside(codes: Codes, rows: IntArray, rng: np.random.Generator, limit: int = MAX_PAIRS) -> PairSet:
    """All pairs of different `rows`, or a sample of them above `limit` pairs."""
    n = len(rows)
    total = n * (n - 1) // 2
    if total <= limit:
        i, j = np.triu_indices(n, 1)
        return pair_set(codes, rows[i], rows[j])
    blocks = [rows[codes.groups[rows] == g] for g in np.unique(codes.groups[rows])]
    same = [(block[i], block[j]) for block in blocks for i, j in [np.triu_indices(len(block), 1)]]
    # the k-th pair (i < j) of the upper triangle, counted by columns: k = j (j - 1) / 2 + i
    drawn = rng.choice(total, size=limit, replace=False, shuffle=False)
    j = ((1.0 + np.sqrt(1.0 + 8.0 * drawn)) / 2.0).astype(np.int64)
    j -= j * (j - 1) // 2 > drawn
    j += j * (j + 1) // 2 <= drawn
    i = drawn - j * (j - 1) // 2
    return _sampled(codes, same, rows[i], rows[j], rng, limit)


def pairs_between(
    codes: Codes, left: IntArray, right: IntArray, rng: np.random.Generator, limit: int = MAX_PAIRS
) -> PairSet:
    """All pairs of a `left` row with a `right` row (two disjoint sets of rows), or a sample above `limit` pairs."""
    total = len(left) * len(right)
    if total <= limit:
        return pair_set(codes, np.repeat(left, len(right)), np.tile(right, len(left)))
    same = []
    for g in np.unique(codes.groups[left]):
        a, b = left[codes.groups[left] == g], right[codes.groups[right] == g]
        same.append((np.repeat(a, len(b)), np.tile(b, len(a))))
    drawn = rng.choice(total, size=limit, replace=False, shuffle=False)
    return _sampled(codes, same, left[drawn // len(right)], right[drawn % len(right)], rng, limit)


def _sampled(
    codes: Codes,
    same: list[tuple[IntArray, IntArray]],
    left: IntArray,
    right: IntArray,
    rng: np.random.Generator,
    limit: int,
) -> PairSet:
    """Every positive (up to half the limit) before the negatives among the drawn pairs."""
    up_left = np.concatenate([a for a, _ in same])
    up_right = np.concatenate([b for _, b in same])
    if len(up_left) > limit // 2:
        kept = np.sort(rng.choice(len(up_left), size=limit // 2, replace=False, shuffle=False))
        up_left, up_right = up_left[kept], up_right[kept]
    different = np.flatnonzero(codes.groups[left] != codes.groups[right])
    # drawn without shuffling: Floyd's sampler fills in an order that is not exchangeable, so cut at random
    room = limit - len(up_left)
    if len(different) > room:
        different = np.sort(rng.choice(different, size=room, replace=False, shuffle=False))
    return pair_set(codes, np.concatenate([up_left, left[different]]), np.concatenate([up_right, right[different]]))
