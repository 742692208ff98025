"""Log likelihood ratios of scored pairs, each from a calibration that was fitted on other groups' pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.calibration import calibrate, cllr, log_likelihood_ratio, min_cllr, probability
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.report.pairs import usable

__all__ = ["Calibrated", "cross_fitted", "reliability"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Pairs judged by a calibration of others: ratio ``(P,)`` (natural logarithm), positive ``(P,)``, Cllr, its
    minimum."""

    ratio: Floats
    positive: Bools
    cost: float
    minimum: float


def _partners(pairs: Sequence[PairScores], codes: NDArray[np.int64]) -> list[tuple[PairScores, PairScores]]:
    """(fitted on, judged): neighbouring sets that share no spectrum (two halves of a fold), in both directions.

    Where sets are not such halves (groups held out of the search), each set is cut in two by its groups; pairs across
    the cut are left out.
    """
    sets = list(pairs)
    if len(sets) % 2 == 0:
        halves = list(zip(sets[::2], sets[1::2], strict=True))
        if halves and all(not len(np.intersect1d(_rows(a), _rows(b))) for a, b in halves):
            return [both for a, b in halves for both in ((a, b), (b, a))]
    out = []
    _, place = np.unique(codes, return_inverse=True)  # codes need not follow each other
    first = place % 2 == 0
    for one in sets:
        a, b = (_within(one, first == side) for side in (True, False))
        out += [(a, b), (b, a)]
    return out


def _rows(p: PairScores) -> NDArray[np.int64]:
    return np.union1d(p.left, p.right)


def _within(p: PairScores, inside: Bools) -> PairScores:
    kept = inside[p.left] & inside[p.right]
    return PairScores(p.left[kept], p.right[kept], p.positive[kept], p.stratum[kept], p.similarity[kept], p.threshold)


def cross_fitted(pairs: Sequence[PairScores], codes: NDArray[np.int64]) -> list[Calibrated]:
    """Calibrate each set by its partner's pairs; sets that lack a kind of pairs are left out.

    codes: group of every spectrum ``(N,)``.
    """
    out = []
    for fitted, judged in _partners(pairs, codes):
        if not usable([fitted]) or not usable([judged]):
            continue
        ratio = log_likelihood_ratio(judged.similarity, calibrate(fitted.similarity, fitted.positive))
        if np.isfinite(ratio).all():
            cost, least = cllr(ratio, judged.positive), min_cllr(judged.similarity, judged.positive)
            out.append(Calibrated(ratio, judged.positive, cost, least))
    return out


def reliability(sets: Sequence[Calibrated], bins: int = 10) -> tuple[Floats, Floats, Floats]:
    """Predicted and observed probability of "same" at even prior odds, and the bin's weight, ``(B,)`` each.

    In every set both kinds of pairs weigh one half, so the observed share does not depend on how many pairs are
    positive. Empty bins are left out; weights sum to 1. Source: DeGroot and Fienberg (1983), The comparison and
    evaluation of forecasters.
    """
    predicted = np.concatenate([probability(s.ratio) for s in sets])
    positive = np.concatenate([s.positive for s in sets])
    weight = np.concatenate([np.where(s.positive, 0.5 / s.positive.sum(), 0.5 / (~s.positive).sum()) for s in sets])
    place = np.minimum((predicted * bins).astype(np.int64), bins - 1)
    total = np.bincount(place, weights=weight, minlength=bins)
    kept = total > 0
    mean = np.bincount(place, weights=weight * predicted, minlength=bins)[kept] / total[kept]
    share = np.bincount(place, weights=weight * positive, minlength=bins)[kept] / total[kept]
    return mean, share, total[kept] / len(sets)
