"""Spectral entropy similarity (Li et al., Nature Methods 18, 2021), entropy-weighted.

For spectra that sum to one, with S the Shannon entropy in nats and (a + b)/2 the mixed spectrum::

    similarity = 1 - (2 S((a + b)/2) - S(a) - S(b)) / ln 4

Spectra of S < 3 are first raised to the power 1/4 + S/4 and normalised again, which gives their small peaks more say.
Peaks are matched by channel; no peak is removed as noise.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput

__all__ = ["TITLE", "entropy", "entropy_similarity", "fit_score", "normalised"]

TITLE = "spectral entropy"
_ENOUGH = 3.0  # nats: spectra of higher entropy are not weighted
_CELLS_AT_ONCE = 4_000_000

Floats = NDArray[np.float64]


def entropy(p: Floats) -> Floats:
    """Shannon entropy in nats of rows ``(N, L)`` that sum to one; 0 of a row of zeros."""
    return np.asarray(-(p * np.log(np.where(p > 0, p, 1.0))).sum(axis=1))


def normalised(x: NDArray[np.floating], *, weighted: bool = True) -> Floats:
    """Spectra ``(N, L)`` as distributions, entropy-weighted; a spectrum without a positive intensity stays zero.

    Negative intensities count as 0, for a share of a spectrum cannot be negative: a baseline subtraction leaves them.
    """
    p = np.maximum(np.asarray(x, np.float64), 0.0)
    p /= _sums(p)
    if weighted:
        s = entropy(p)
        power = np.where(s < _ENOUGH, 0.25 + 0.25 * s, 1.0)[:, None]
        p = np.where(p > 0, p, 0.0) ** power
        p /= _sums(p)
    return p


def _sums(p: Floats) -> Floats:
    sums = p.sum(axis=1, keepdims=True)
    return np.where(sums > 0, sums, 1.0)


def entropy_similarity(p: Floats, left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.float32]:
    """Similarity 0 to 1 of pairs of rows of `normalised` spectra ``(N, L)`` → ``(P,)``."""
    alone = entropy(p)
    out = np.empty(left.size, np.float32)
    step = max(1, _CELLS_AT_ONCE // max(1, p.shape[1]))
    for start in range(0, left.size, step):
        part = slice(start, start + step)
        a, b = left[part], right[part]
        mixed = entropy((p[a] + p[b]) / 2)
        out[part] = np.clip(1 - (2 * mixed - alone[a] - alone[b]) / np.log(4), 0.0, 1.0)
    return out


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Nothing is fitted."""
    rows = np.unique(np.concatenate([np.empty(0, np.int64), *(np.concatenate([p.left, p.right]) for p in data.pairs)]))
    p = normalised(data.spectra.intensities[rows])
    places = ((np.searchsorted(rows, q.left), np.searchsorted(rows, q.right)) for q in data.pairs)
    return BaselineOutput(tuple(entropy_similarity(p, a, b) for a, b in places), "entropy-weighted below 3 nats")
