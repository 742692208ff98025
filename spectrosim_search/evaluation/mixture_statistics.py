"""What naming the components of mixtures is worth, with intervals over classes.

A mixture counts as *all right* where every component was named; *mean right* is the mean share of components named.
What is left out as a whole is a class, with every mixture it is part of: mixtures of one class share its spectra and
whatever a model learnt of it. Folds and training seeds are put together. With mixtures drawn at random both are
incomplete U-statistics over classes, for which the jackknife's error is right in the part that comes from classes and
counts the part that comes from which mixtures were drawn up to k times (Arvesen 1969, Ann. Math. Stat. 40:2076).

Shapes: M mixtures, k components, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.scores import Estimate, MixtureScores
from spectrosim_search.evaluation.statistics import interval_of

__all__ = ["MixtureEstimate", "components_right", "mixture_estimates"]

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class MixtureEstimate:
    """How well the components of mixtures of one size are named."""

    components: int
    mixtures: int  # named, all folds and seeds together
    all_right: Estimate
    mean_right: Estimate


def components_right(scores: MixtureScores) -> FloatArray:
    """Share of each mixture's components that were named ``(M,)``."""
    return np.asarray((scores.truth[:, :, None] == scores.found[:, None, :]).any(axis=2).mean(axis=1))


def mixture_estimates(scores: Sequence[MixtureScores]) -> tuple[MixtureEstimate, ...]:
    """Put together what is of one number of components, and estimate; fewest components first."""
    out = []
    for order in sorted({s.truth.shape[1] for s in scores}):
        own = [s for s in scores if s.truth.shape[1] == order]
        truth = np.concatenate([s.truth for s in own])
        right = np.concatenate([components_right(s) for s in own])
        whole = _estimate((right == 1.0).astype(np.float64), truth)
        if whole.value == 1.0:  # a mixture is faultless where all of its classes are
            whole = replace(whole, low=whole.low**order)
        out.append(MixtureEstimate(order, len(truth), whole, _estimate(right, truth)))
    return tuple(out)


def _estimate(value: FloatArray, truth: NDArray[np.int64]) -> Estimate:
    """Mean of what mixtures are worth ``(M,)``, its interval by leaving out one class of `truth` ``(M, k)`` each."""
    if not len(value):
        return Estimate(float("nan"), note="no mixture was named")
    names, codes = np.unique(truth, return_inverse=True)
    codes, k = codes.reshape(-1), truth.shape[1]
    count = len(value) - np.bincount(codes, minlength=len(names))
    total = value.sum() - np.bincount(codes, np.repeat(value, k), minlength=len(names))
    without = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return interval_of(float(value.mean()), without)
