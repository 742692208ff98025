"""Telling same from different: scores of a set of pairs by their similarity.

Shapes: `similarity` ``(P,)`` any real numbers, higher = more alike; `positive` ``(P,)`` bool, True where both spectra
are of one group; `stratum` ``(P,)`` number of the unordered label pair, -1 where a label is missing; `weights`
``(P,)`` non-negative multiplicities, None: one each. A similarity that is not a number makes every score undefined:
NaN, never .5.

Average precision and Matthews correlation depend on how many pairs are positive. They are reweighted to a prevalence of
:data:`PREVALENCE`, so that they can be compared between designs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spectrosim_search.evaluation.calibration import log_likelihood_ratio
from spectrosim_search.evaluation.scores import PairScores

__all__ = [
    "METRICS",
    "PREVALENCE",
    "MatchedAuc",
    "auc",
    "average_precision",
    "balanced_accuracy",
    "choose_threshold",
    "equal_error_rate",
    "log_likelihood_ratio",
    "matched_auc",
    "mcc",
    "mcc_from_rates",
    "metrics",
    "primary",
    "rates",
    "roc",
]

FloatArray = NDArray[np.float64]
METRICS = ("auc", "matched_auc", "balanced_accuracy", "eer", "average_precision", "mcc")
PREVALENCE = 0.02


@dataclass(frozen=True)
class MatchedAuc:
    """Matched-label AUC and how many label pairs it rests on; `value` is NaN where none could be used."""

    value: float
    strata_used: int
    strata_skipped: int


def _checked(
    similarity: ArrayLike, positive: ArrayLike, weights: ArrayLike | None
) -> tuple[FloatArray, NDArray[np.bool_], FloatArray] | None:
    """Arrays in double precision, pairs without weight left out; None where no score is defined."""
    s = np.asarray(similarity, dtype=np.float64)
    y = np.asarray(positive, dtype=np.bool_)
    w = np.ones(s.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if not s.shape == y.shape == w.shape or s.ndim != 1:
        raise ValueError(f"pairs disagree: similarity {s.shape}, positive {y.shape}, weights {w.shape}")
    kept = w > 0
    if not kept.all():
        s, y, w = s[kept], y[kept], w[kept]
    if not y.any() or y.all() or np.isnan(s).any():
        return None
    return s, y, w


def _steps(s: FloatArray, y: NDArray[np.bool_], w: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Distinct similarities in rising order with the weight of positive and of negative pairs at each."""
    order = np.argsort(s, kind="stable")
    s, y, w = s[order], y[order], w[order]
    starts = np.flatnonzero(np.concatenate(([True], s[1:] != s[:-1])))
    return s[starts], np.add.reduceat(w * y, starts), np.add.reduceat(w * ~y, starts)


def auc(similarity: ArrayLike, positive: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Probability that a positive pair is more similar than a negative one; ties count half (Mann-Whitney).

    NaN without positives, without negatives or where a similarity is not a number.
    """
    if weights is None:
        s, y = np.asarray(similarity, dtype=np.float64), np.asarray(positive, dtype=np.bool_)
        if s.shape == y.shape and s.ndim == 1:
            return _share_of_wins(s[y], s[~y])
    pairs = _checked(similarity, positive, weights)
    if pairs is None:
        return float("nan")
    _, up, down = _steps(*pairs)
    below = np.cumsum(down) - down
    return float((up * (below + 0.5 * down)).sum() / (up.sum() * down.sum()))


def _share_of_wins(above: FloatArray, below: FloatArray) -> float:
    """The same by ranks, to the bit: counts are whole numbers and halves."""
    if not len(above) or not len(below) or np.isnan(above).any() or np.isnan(below).any():
        return float("nan")
    ranked = np.sort(below)
    places = ranked.searchsorted(above, side="left") + ranked.searchsorted(above, side="right")
    return float(0.5 * int(places.sum()) / (len(above) * len(below)))


def matched_auc(
    similarity: ArrayLike, positive: ArrayLike, stratum: ArrayLike, weights: ArrayLike | None = None
) -> MatchedAuc:
    """AUC of positive pairs against negative pairs of the same unordered label pair.

    Strata are averaged by their positives (by the positives' weight where there are weights); strata that lack
    either kind are skipped and counted; pairs with a missing label take no part.
    """
    s = np.asarray(similarity, dtype=np.float64)
    y = np.asarray(positive, dtype=np.bool_)
    k = np.asarray(stratum, dtype=np.int64)
    w = np.ones(s.shape) if weights is None else np.asarray(weights, dtype=np.float64)
    if not s.shape == y.shape == k.shape == w.shape:
        raise ValueError(f"pairs disagree: similarity {s.shape}, positive {y.shape}, stratum {k.shape}")
    taken = k >= 0 if weights is None else (k >= 0) & (w > 0)
    present = np.unique(k[taken])
    usable = np.intersect1d(k[taken & y], k[taken & ~y])
    total = weight = 0.0
    for number in usable:
        rows = taken & (k == number)
        share = float(w[rows & y].sum())
        total += share * auc(s[rows], y[rows], None if weights is None else w[rows])
        weight += share
    value = total / weight if weight > 0 else float("nan")
    return MatchedAuc(value, len(usable), len(present) - len(usable))


def roc(
    similarity: ArrayLike, positive: ArrayLike, weights: ArrayLike | None = None
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """False and true positive rate at every threshold, from (0, 0) to (1, 1), and the thresholds.

    A pair is called the same where its similarity is at least the threshold; the first threshold is infinite. Empty
    arrays where undefined.
    """
    pairs = _checked(similarity, positive, weights)
    if pairs is None:
        return np.empty(0), np.empty(0), np.empty(0)
    values, up, down = _steps(*pairs)
    tpr = np.concatenate(([0.0], np.cumsum(up[::-1]) / up.sum()))
    fpr = np.concatenate(([0.0], np.cumsum(down[::-1]) / down.sum()))
    return np.minimum(fpr, 1.0), np.minimum(tpr, 1.0), np.concatenate(([np.inf], values[::-1]))


def choose_threshold(similarity: ArrayLike, positive: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Threshold of the largest balanced accuracy on these pairs: the midpoint of its plateau, any real number.

    Balanced accuracy is constant between neighbouring similarities; of several separate best plateaus the widest is
    taken, for it moves least with new data. NaN where undefined. Meant for *choosing* pairs only: never judge on them.
    """
    fpr, tpr, values = roc(similarity, positive, weights)
    if len(values) == 0:
        return float("nan")
    gain = tpr - fpr  # step i holds for thresholds in (values[i + 1], values[i]]
    best = gain >= gain.max() - 1e-12
    if not best[1:-1].any():  # nothing beats a constant answer: the middle of the range says as much
        return float((values[1] + values[-1]) / 2)
    return _widest(best, values)


def _widest(best: NDArray[np.bool_], values: FloatArray) -> float:
    """Midpoint of the widest run of best inner steps."""
    inner = best.copy()
    inner[0] = inner[-1] = False
    edges = np.diff(np.concatenate(([0], inner.astype(np.int8), [0])))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    upper, lower = values[starts], values[ends]
    widest = int(np.argmax(upper - lower))
    return float(lower[widest] + (upper[widest] - lower[widest]) / 2)


def rates(
    similarity: ArrayLike, positive: ArrayLike, threshold: float, weights: ArrayLike | None = None
) -> tuple[float, float]:
    """True and false positive rate of "the same where similarity ≥ threshold"; NaN where undefined."""
    pairs = _checked(similarity, positive, weights)
    if pairs is None or np.isnan(threshold):
        return float("nan"), float("nan")
    s, y, w = pairs
    called = w * (s >= threshold)
    return float(called[y].sum() / w[y].sum()), float(called[~y].sum() / w[~y].sum())


def balanced_accuracy(
    similarity: ArrayLike, positive: ArrayLike, threshold: float, weights: ArrayLike | None = None
) -> float:
    """Mean of the shares of positive and of negative pairs called rightly at a threshold chosen elsewhere."""
    tpr, fpr = rates(similarity, positive, threshold, weights)
    return 0.5 * (tpr + 1.0 - fpr)


def equal_error_rate(similarity: ArrayLike, positive: ArrayLike, weights: ArrayLike | None = None) -> float:
    """Error rate where false positive and false negative rate are equal, interpolated along the ROC."""
    fpr, tpr, values = roc(similarity, positive, weights)
    if len(values) == 0:
        return float("nan")
    gap = fpr + tpr - 1.0  # FPR - FNR, rises from -1 to 1
    i = int(np.searchsorted(gap, 0.0))
    if i == 0 or gap[i] == 0.0:
        return float(fpr[i])
    share = -gap[i - 1] / (gap[i] - gap[i - 1])
    return float(fpr[i - 1] + share * (fpr[i] - fpr[i - 1]))


def average_precision(
    similarity: ArrayLike,
    positive: ArrayLike,
    weights: ArrayLike | None = None,
    prevalence: float | None = PREVALENCE,
) -> float:
    """Mean precision over the positives found, from the most similar pair down, at a stated prevalence.

    `prevalence` None keeps the pairs' own. Ties enter together.
    """
    fpr, tpr, values = roc(similarity, positive, weights)
    if len(values) == 0:
        return float("nan")
    if prevalence is None:
        y = np.asarray(positive, dtype=np.bool_)
        w = np.ones(y.shape) if weights is None else np.asarray(weights, dtype=np.float64)
        prevalence = float(w[y].sum() / w.sum())
    found, wrong = prevalence * tpr[1:], (1.0 - prevalence) * fpr[1:]
    return float((np.diff(tpr) * found / (found + wrong)).sum())


def mcc_from_rates(
    tpr: FloatArray | float, fpr: FloatArray | float, prevalence: float = PREVALENCE
) -> NDArray[np.float64]:
    """Matthews correlation of a rule with these rates; 0 where the rule always answers the same."""
    called = prevalence * np.asarray(tpr) + (1.0 - prevalence) * np.asarray(fpr)
    spread = np.sqrt(np.clip(called * (1.0 - called), 0.0, None))
    raw = (np.asarray(tpr) - np.asarray(fpr)) * np.sqrt(prevalence * (1.0 - prevalence))
    constant = spread == 0
    return np.asarray(np.where(constant, 0.0, raw / np.where(constant, 1.0, spread)), dtype=np.float64)


def mcc(similarity: ArrayLike, positive: ArrayLike, threshold: float, weights: ArrayLike | None = None) -> float:
    """Matthews correlation at a threshold chosen elsewhere and a prevalence of :data:`PREVALENCE`."""
    return float(mcc_from_rates(*rates(similarity, positive, threshold, weights)))


def metrics(pairs: Sequence[PairScores]) -> dict[str, float]:
    """All of :data:`METRICS`, each averaged over the parts in which it is defined; NaN where it is in none."""
    rows: list[tuple[float, ...]] = []
    for part in pairs:
        s, y = part.similarity, part.positive
        rows.append(
            (
                auc(s, y),
                matched_auc(s, y, part.stratum).value,
                balanced_accuracy(s, y, part.threshold),
                equal_error_rate(s, y),
                average_precision(s, y),
                mcc(s, y, part.threshold),
            )
        )
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(METRICS))
    defined = ~np.isnan(table)
    counts = defined.sum(axis=0)
    sums = np.where(defined, table, 0.0).sum(axis=0)
    return {m: float(sums[i] / counts[i]) if counts[i] else float("nan") for i, m in enumerate(METRICS)}


def primary(values: Mapping[str, float], metric: str) -> float:
    """The study's metric; all-pairs AUC where the matched-label AUC is undefined (no labels, one group a label)."""
    value = values[metric]
    return values["auc"] if metric == "matched_auc" and np.isnan(value) else value
