"""Scores of one part under many weightings of its groups at once: what jackknife and bootstrap are made of.

Shapes: P pairs of the part, U units in it, R weightings; `weights` ``(R, U)``.

A unit (a group, or coarser) is drawn or deleted as a whole. A positive pair lies inside one unit and weighs as often
as the unit was drawn; a negative pair weighs the product over its two units. So two copies of one group are never
paired with each other: they would be a perfect positive, or a negative of a spectrum with itself.

Everything that depends on similarities is summed up once per part, over pairs of one unit (positives) and of
one unordered pair of units (negatives). For the AUC that is ``A[g, hk]``, the number of wins of g's positives over the
negatives between h and k; a weighting then costs one small matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import METRICS, PREVALENCE, mcc_from_rates

__all__ = ["part_values"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
CHUNK = 4_000_000  # numbers in one array of ROC curves


class _Layout:
    """Pairs of a part by the units they touch."""

    def __init__(self, part: PairScores, left: IntArray, right: IntArray, units: int) -> None:
        self.similarity = np.asarray(part.similarity, dtype=np.float64)
        self.positive = np.asarray(part.positive, dtype=np.bool_)
        self.units = units
        low, high = np.minimum(left, right), np.maximum(left, right)
        codes, self.code = np.unique(low * units + high, return_inverse=True)
        self.first, self.second = codes // units, codes % units
        self.codes = len(codes)

    def weigh(self, weights: FloatArray) -> FloatArray:
        """Weight of each unordered pair of units, ``(R, codes)``; a unit with itself weighs once."""
        both = np.where(self.first == self.second, 1.0, weights[:, self.second])
        return np.asarray(weights[:, self.first] * both, dtype=np.float64)

    def sums(self, rows: NDArray[np.bool_], values: FloatArray | None = None) -> FloatArray:
        """Sum of `values` (or count) of the chosen pairs by unordered pair of units, ``(codes,)``."""
        chosen = None if values is None else values[rows]
        return np.bincount(self.code[rows], weights=chosen, minlength=self.codes).astype(np.float64)


def _wins(layout: _Layout, up: NDArray[np.bool_], down: NDArray[np.bool_]) -> tuple[IntArray, FloatArray]:
    """Codes that hold positives, and their wins ``(those, codes)`` over the negatives of every code."""
    negative = layout.similarity[down]
    order = np.argsort(negative)  # searching with sorted needles is several times faster
    negative, code = negative[order], layout.code[down][order]
    own = np.unique(layout.code[up])
    wins = np.empty((len(own), layout.codes))
    for row, number in enumerate(own):
        values = np.sort(layout.similarity[up & (layout.code == number)])
        lower = np.searchsorted(values, negative, side="left")
        upper = np.searchsorted(values, negative, side="right")
        wins[row] = np.bincount(code, weights=len(values) - 0.5 * (lower + upper), minlength=layout.codes)
    return own.astype(np.int64), wins


def _auc(layout: _Layout, weighed: FloatArray, strata: Sequence[NDArray[np.bool_]]) -> FloatArray:
    """AUC inside each stratum (masks of pairs), averaged by positives; one stratum of everything: the plain AUC."""
    total = np.zeros(len(weighed))
    share = np.zeros(len(weighed))
    for inside in strata:
        up, down = inside & layout.positive, inside & ~layout.positive
        if not up.any() or not down.any():
            continue
        own, wins = _wins(layout, up, down)
        won = ((weighed @ wins.T) * weighed[:, own]).sum(axis=1)
        positives, negatives = weighed @ layout.sums(up), weighed @ layout.sums(down)
        usable = (positives > 0) & (negatives > 0)
        total += np.where(usable, won / np.where(usable, negatives, 1.0), 0.0)
        share += np.where(usable, positives, 0.0)
    return np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)


def _rates(layout: _Layout, weighed: FloatArray, threshold: float) -> tuple[FloatArray, FloatArray]:
    """True and false positive rates at a fixed threshold, ``(R,)`` each."""
    called = (layout.similarity >= threshold).astype(np.float64)
    out = []
    for kind in (layout.positive, ~layout.positive):
        count, hits = weighed @ layout.sums(kind), weighed @ layout.sums(kind, called)
        out.append(np.where(count > 0, hits / np.where(count > 0, count, 1.0), np.nan))
    return out[0], out[1]


def _curves(layout: _Layout, weighed: FloatArray) -> tuple[FloatArray, FloatArray]:
    """ROC of every weighting at the part's distinct similarities, each ``(R, steps + 1)`` from 0 to 1."""
    order = np.argsort(-layout.similarity, kind="stable")
    values = layout.similarity[order]
    ends = np.flatnonzero(np.concatenate((values[1:] != values[:-1], [True])))
    pairs = weighed[:, layout.code[order]]
    out = []
    for kind in (layout.positive[order], ~layout.positive[order]):
        steps = np.cumsum(pairs * kind, axis=1)[:, ends]
        total = steps[:, -1:]
        rate = np.where(total > 0, steps / np.where(total > 0, total, 1.0), np.nan)
        out.append(np.concatenate([np.zeros((len(rate), 1)), rate], axis=1))
    return out[0], out[1]


def _equal_error(tpr: FloatArray, fpr: FloatArray) -> FloatArray:
    gap = fpr + tpr - 1.0
    at = np.argmax(gap >= 0, axis=1)
    rows = np.arange(len(gap))
    before = np.maximum(at - 1, 0)
    rise = gap[rows, at] - gap[rows, before]
    share = np.where(rise > 0, -gap[rows, before] / np.where(rise > 0, rise, 1.0), 0.0)
    value = fpr[rows, before] + share * (fpr[rows, at] - fpr[rows, before])
    return np.where(np.isnan(gap[:, -1]), np.nan, value)


def _precision(tpr: FloatArray, fpr: FloatArray) -> FloatArray:
    found, wrong = PREVALENCE * tpr[:, 1:], (1.0 - PREVALENCE) * fpr[:, 1:]
    called = found + wrong
    value = (np.diff(tpr, axis=1) * np.where(called > 0, found / np.where(called > 0, called, 1.0), 0.0)).sum(axis=1)
    return np.where(np.isnan(tpr[:, -1]) | np.isnan(fpr[:, -1]), np.nan, value)


def part_values(part: PairScores, left: IntArray, right: IntArray, weights: FloatArray, metric: str) -> FloatArray:
    """Score of one part under each row of `weights` ``(R, U)``; NaN where that row leaves it undefined.

    `left` and `right` ``(P,)`` number the units of each pair's spectra, 0 to U-1. Equals the functions of
    :mod:`spectrosim_search.evaluation.verification` with each pair's weight. Raises ValueError for an unknown metric.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric '{metric}' (known: {', '.join(METRICS)})")
    nothing = np.full(len(weights), np.nan)
    if len(part.similarity) == 0 or np.isnan(part.similarity).any():
        return nothing
    layout = _Layout(part, left, right, weights.shape[1])
    weighed = layout.weigh(weights)
    if metric == "auc":
        return _auc(layout, weighed, [np.ones(len(layout.positive), dtype=np.bool_)])
    if metric == "matched_auc":
        numbers = np.unique(part.stratum[layout.positive & (part.stratum >= 0)])
        return _auc(layout, weighed, [part.stratum == number for number in numbers])
    if metric in ("balanced_accuracy", "mcc"):
        if np.isnan(part.threshold):
            return nothing
        tpr, fpr = _rates(layout, weighed, part.threshold)
        return 0.5 * (tpr + 1.0 - fpr) if metric == "balanced_accuracy" else mcc_from_rates(tpr, fpr)
    score = _equal_error if metric == "eer" else _precision
    rows = max(1, CHUNK // len(layout.similarity))
    chunks = [score(*_curves(layout, weighed[i : i + rows])) for i in range(0, len(weighed), rows)]
    return np.concatenate(chunks)
