"""Scores of one part under many weightings of its groups at once: what jackknife and bootstrap are made of.

Shapes: P pairs of the part, U units in it, T methods, R weightings; `weights` ``(R, U)``.

A unit (a group, or coarser) is drawn or deleted as a whole. A positive pair lies inside one unit and weighs as often
as the unit was drawn; a negative pair weighs the product over its two units. So two copies of one group are never
paired with each other: they would be a perfect positive, or a negative of a spectrum with itself.

Everything that depends on similarities is summed up once per part, over pairs of one unit (positives) and of
one unordered pair of units (negatives). For the AUC that is ``A[g, hk]``, the number of wins of g's positives over the
negatives between h and k; a weighting then costs one small matrix product. Where the weightings are few beside the
positives that table costs more than it saves, and each weighting is summed along the sorted negatives instead.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.frames import Frame, Stratum
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import METRICS, PREVALENCE, mcc_from_rates

__all__ = ["part_values"]

FloatArray = NDArray[np.float64]
CHUNK = 4_000_000  # numbers in one array of ROC curves
BEATEN = 2_000_000  # numbers in one table of positives x negatives
FEW = 6  # positives for each weighting from which sorting all negatives is faster than the table
MANY = 24  # positives of a unit from which sorting them is faster than the table


def _wins(similarity: FloatArray, stratum: Stratum) -> FloatArray:
    """Wins of the positives of each code that holds any over the negatives of each that does ``(T, own, against)``,
    by similarities ``(T, P)`` of T methods."""
    above, below = similarity[:, stratum.up], similarity[:, stratum.down]
    size = above.shape[1] * below.shape[1]
    if size > BEATEN or above.shape[1] > MANY * len(stratum.own):
        return np.stack([_ranked_wins(a, b, stratum) for a, b in zip(above, below, strict=True)])
    out = np.empty((len(similarity), len(stratum.own), len(stratum.against)))
    some = max(1, BEATEN // size)
    for first in range(0, len(similarity), some):
        ups, downs = above[first : first + some, :, None], below[first : first + some, None]
        beaten = np.greater(ups, downs).astype(np.float64)
        beaten += 0.5 * np.equal(ups, downs)
        rows = np.add.reduceat(beaten, stratum.up_starts, axis=1)
        out[first : first + some] = np.add.reduceat(rows, stratum.down_starts, axis=2)
    return out


def _ranked_wins(above: FloatArray, below: FloatArray, stratum: Stratum) -> FloatArray:
    """The same of one method ``(own, against)``, without a table of positives × negatives."""
    order = np.argsort(below)  # searching with sorted needles is several times faster
    needles = below[order]
    wins = np.empty((len(stratum.own), len(stratum.against)))
    beaten = np.empty(len(below))
    for row, values in enumerate(np.split(above, stratum.up_starts[1:])):
        ranked = np.sort(values)
        lower = np.searchsorted(ranked, needles, side="left")
        upper = np.searchsorted(ranked, needles, side="right")
        beaten[order] = len(values) - 0.5 * (lower + upper)
        wins[row] = np.add.reduceat(beaten, stratum.down_starts)
    return wins


def _few_won(similarity: FloatArray, stratum: Stratum, code: NDArray[np.int64], weighed: FloatArray) -> FloatArray:
    """Weighted wins of all positives over all negatives of a stratum ``(T, R)``, weighting by weighting."""
    ours, others = weighed[:, code[stratum.up]], weighed[:, code[stratum.down]]
    out = np.empty((len(similarity), len(weighed)))
    below = np.zeros((len(weighed), len(stratum.down) + 1))
    for row, values in enumerate(similarity):
        order = np.argsort(values[stratum.down])
        ranked = values[stratum.down][order]
        np.cumsum(others[:, order], axis=1, out=below[:, 1:])
        lower = np.searchsorted(ranked, values[stratum.up], side="left")
        upper = np.searchsorted(ranked, values[stratum.up], side="right")
        out[row] = np.einsum("ru,ru->r", ours, below[:, lower] + below[:, upper]) / 2
    return out


def _auc(similarity: FloatArray, frame: Frame, weighed: FloatArray, metric: str) -> FloatArray:
    """AUC inside each stratum, averaged by positives ``(T, R)``; one stratum of everything: the plain AUC."""
    total = np.zeros((len(similarity), len(weighed)))
    share = np.zeros(len(weighed))
    for stratum in frame.strata(metric):
        if not len(stratum.up) or not len(stratum.down):
            continue
        if len(weighed) * FEW < len(stratum.up):
            won = _few_won(similarity, stratum, frame.code, weighed)
        else:
            wins = _wins(similarity, stratum)
            won = ((wins @ weighed[:, stratum.against].T) * weighed[:, stratum.own].T).sum(axis=1)
        positives, negatives = weighed @ stratum.positives, weighed @ stratum.negatives
        usable = (positives > 0) & (negatives > 0)
        total += np.where(usable, won / np.where(usable, negatives, 1.0), 0.0)
        share += np.where(usable, positives, 0.0)
    return np.where(share > 0, total / np.where(share > 0, share, 1.0), np.nan)


def _rates(
    similarity: FloatArray, frame: Frame, weighed: FloatArray, threshold: float
) -> tuple[FloatArray, FloatArray]:
    """True and false positive rates at a fixed threshold, ``(R,)`` each."""
    called = (similarity >= threshold).astype(np.float64)
    out = []
    for kind in (frame.positive, ~frame.positive):
        count, hits = weighed @ frame.sums(kind), weighed @ frame.sums(kind, called)
        out.append(np.where(count > 0, hits / np.where(count > 0, count, 1.0), np.nan))
    return out[0], out[1]


def _curves(similarity: FloatArray, frame: Frame, weighed: FloatArray) -> tuple[FloatArray, FloatArray]:
    """ROC of every weighting at the part's distinct similarities, each ``(R, steps + 1)`` from 0 to 1."""
    order = np.argsort(-similarity, kind="stable")
    values = similarity[order]
    ends = np.flatnonzero(np.concatenate((values[1:] != values[:-1], [True])))
    pairs = weighed[:, frame.code[order]]
    out = []
    for kind in (frame.positive[order], ~frame.positive[order]):
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


def part_values(parts: Sequence[PairScores], frame: Frame, weights: FloatArray, metric: str) -> FloatArray:
    """Scores of one part by T methods under each row of `weights` ``(R, U)``: ``(T, R)``; NaN where undefined.

    `frame` is that of all the parts (:func:`~spectrosim_search.evaluation.frames.frame_of`). Equals the functions of
    :mod:`spectrosim_search.evaluation.verification` with each pair's weight. Raises ValueError for an unknown metric.
    """
    if metric not in METRICS:
        raise ValueError(f"unknown metric '{metric}' (known: {', '.join(METRICS)})")
    out = np.full((len(parts), len(weights)), np.nan)
    if not len(frame.positive):
        return out
    similarity = np.array([part.similarity for part in parts], dtype=np.float64)
    known = np.flatnonzero(~np.isnan(similarity).any(axis=1))
    weighed = frame.weigh(weights)
    if metric in ("auc", "matched_auc"):
        if len(known):
            out[known] = _auc(similarity[known], frame, weighed, metric)
        return out
    for row in known.tolist():
        out[row] = _by_threshold_or_curve(parts[row], similarity[row], frame, weighed, metric)
    return out


def _by_threshold_or_curve(
    part: PairScores, similarity: FloatArray, frame: Frame, weighed: FloatArray, metric: str
) -> FloatArray:
    if metric in ("balanced_accuracy", "mcc"):
        if np.isnan(part.threshold):
            return np.full(len(weighed), np.nan)
        tpr, fpr = _rates(similarity, frame, weighed, part.threshold)
        return 0.5 * (tpr + 1.0 - fpr) if metric == "balanced_accuracy" else mcc_from_rates(tpr, fpr)
    score = _equal_error if metric == "eer" else _precision
    rows = max(1, CHUNK // len(similarity))
    chunks = [score(*_curves(similarity, frame, weighed[i : i + rows])) for i in range(0, len(weighed), rows)]
    return np.concatenate(chunks)
