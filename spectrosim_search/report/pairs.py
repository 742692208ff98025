"""Curves over scored pairs, computed from the similarities alone (numpy).

Each :class:`PairScores` is judged by itself, since similarities of two trained models do not share a scale.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.scores import PairScores

__all__ = ["RATES", "density", "mean_roc", "operating_points", "roc", "usable"]

Floats = NDArray[np.float64]

RATES: Floats = np.unique(np.concatenate([np.linspace(0, 0.1, 41), np.linspace(0.1, 1, 91)]))


def usable(pairs: Sequence[PairScores]) -> tuple[PairScores, ...]:
    """Sets that hold both kinds of pairs and finite similarities."""
    return tuple(p for p in pairs if p.positive.any() and (~p.positive).any() and bool(np.isfinite(p.similarity).all()))


def roc(pairs: PairScores) -> tuple[Floats, Floats]:
    """False and true positive rates at every distinct similarity, from (0, 0) to (1, 1); ties move both at once."""
    order = np.argsort(-pairs.similarity, kind="stable")
    sorted_similarity = pairs.similarity[order]
    positive = pairs.positive[order]
    last_of_tie = np.append(np.flatnonzero(np.diff(sorted_similarity)), len(order) - 1)
    true = np.cumsum(positive)[last_of_tie]
    false = np.cumsum(~positive)[last_of_tie]
    return (
        np.concatenate([[0.0], false / max(int(false[-1]), 1)]),
        np.concatenate([[0.0], true / max(int(true[-1]), 1)]),
    )


def mean_roc(pairs: Sequence[PairScores], at: Floats = RATES) -> tuple[Floats, Floats, Floats] | None:
    """True positive rate at false positive rates, averaged vertically over the sets, with its 10 % and 90 % quantiles.

    `at`: rates that rise from 0. None where no set holds both kinds of pairs.

    Source: Fawcett (2006), An introduction to ROC analysis, section 8.
    """
    curves = []
    for one in usable(pairs):
        false, true = roc(one)
        curves.append(np.interp(at, false, true))
        # At a false positive rate of exactly 0 interpolation would take the first of several points; take the highest.
        curves[-1][0] = true[false == 0].max()
    if not curves:
        return None
    stacked = np.stack(curves)
    return stacked.mean(0), np.quantile(stacked, 0.1, axis=0), np.quantile(stacked, 0.9, axis=0)


def operating_points(pairs: Sequence[PairScores]) -> tuple[Floats, Floats]:
    """False and true positive rate of each set at its own threshold, chosen on other pairs."""
    false, true = [], []
    for one in usable(pairs):
        if np.isfinite(one.threshold):
            same = one.similarity >= one.threshold
            true.append(float(same[one.positive].mean()))
            false.append(float(same[~one.positive].mean()))
    return np.array(false), np.array(true)


def density(values: Floats, edges: Floats) -> Floats:
    """Histogram as shares that sum to 1; values beyond the edges fall into the outermost bins."""
    counts, _ = np.histogram(np.clip(values, edges[0], edges[-1]), bins=edges)
    total = counts.sum()
    return counts / total if total else counts.astype(np.float64)
