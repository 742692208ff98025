"""Several methods over several independent blocks: Friedman's test, Nemenyi's critical difference, Wilcoxon-Holm.

Blocks are data sets or disjoint outer folds. Seeds, folds that share training groups, or the halves of one fold are no
blocks: their scores move together, and the test would count one observation many times.

Demšar (2006, JMLR 7:1): ranks inside each block, Friedman's chi-square with the less timid F of Iman & Davenport
(1980), and average ranks further apart than Nemenyi's distance are different. Benavoli, Corani & Mangili (2016, JMLR
17:5) show that whether two methods then differ depends on which others stand beside them, and advise signed-rank tests
of the pairs with Holm's correction: these are given too.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.statistics import holm

__all__ = ["CriticalDifference", "critical_difference"]

FloatArray = NDArray[np.float64]

SMALLEST = 3  # blocks, and methods


@dataclass(frozen=True)
class CriticalDifference:
    """What blocks say of methods, in the order the methods were given.

    ranks: average rank, 1 = best; ties share. distance: average ranks further apart than this differ at `alpha`
    (Nemenyi). statistic, p: Iman & Davenport's F of "all methods are alike". cliques: largest sets of methods
    (indices, best first) that Nemenyi's distance cannot tell apart, two or more in each. chi_square: Friedman's,
    corrected for ties. pairwise: two-sided Wilcoxon p of each pair of indices, after Holm's correction.
    """

    names: tuple[str, ...]
    ranks: tuple[float, ...]
    distance: float
    p: float
    statistic: float
    cliques: tuple[tuple[int, ...], ...]
    blocks: int
    chi_square: float
    pairwise: Mapping[tuple[int, int], float]


def critical_difference(scores: FloatArray, names: Sequence[str], alpha: float = 0.05) -> CriticalDifference:
    """Compare methods over independent blocks.

    scores: ``(blocks, methods)``, higher is better. Raises ValueError for fewer than three blocks or methods, a
    name too many or too few, a score that is not a number, or an `alpha` outside (0, 1).
    """
    from scipy.stats import f, friedmanchisquare, rankdata

    if scores.ndim != 2 or scores.shape[1] != len(names):
        raise ValueError(f"scores of shape {scores.shape} for {len(names)} names: need (blocks, methods)")
    blocks, methods = scores.shape
    if blocks < SMALLEST:
        raise ValueError(f"{blocks} blocks: {SMALLEST} data sets or disjoint outer folds are needed at least")
    if methods < SMALLEST:
        raise ValueError(f"{methods} methods: compare two by their paired difference")
    if not np.isfinite(scores).all():
        raise ValueError("a score is not a number: leave out the block or the method")
    if not 0.0 < alpha < 1.0:
        raise ValueError(f"alpha {alpha:g} is not between 0 and 1")
    ranks = rankdata(-scores, axis=1).mean(axis=0)
    alike = bool((scores == scores[:, :1]).all())
    chi_square = 0.0 if alike else float(friedmanchisquare(*scores.T).statistic)
    spare = blocks * (methods - 1) - chi_square
    statistic = (blocks - 1) * chi_square / spare if spare > 1e-9 * blocks else math.inf
    p = float(f.sf(statistic, methods - 1, (methods - 1) * (blocks - 1)))
    distance = _critical_value(methods, alpha) * math.sqrt(methods * (methods + 1) / (6.0 * blocks))
    return CriticalDifference(
        names=tuple(names),
        ranks=tuple(float(r) for r in ranks),
        distance=distance,
        p=p,
        statistic=statistic,
        cliques=_cliques(ranks, distance),
        blocks=blocks,
        chi_square=chi_square,
        pairwise=_pairwise(scores),
    )


@functools.cache
def _critical_value(methods: int, alpha: float) -> float:
    """Nemenyi's q (Demšar 2006, table 5): the studentised range at infinite degrees of freedom over the root of 2."""
    from scipy.stats import studentized_range

    return float(studentized_range.ppf(1.0 - alpha, methods, np.inf)) / math.sqrt(2.0)


def _cliques(ranks: FloatArray, distance: float) -> tuple[tuple[int, ...], ...]:
    """Runs of neighbouring ranks within `distance` of their first, none inside another."""
    order = np.argsort(ranks, kind="stable")
    out: list[tuple[int, ...]] = []
    reached = 0
    for start in range(len(order)):
        end = int(np.searchsorted(ranks[order], ranks[order[start]] + distance, side="right"))
        if end > reached and end - start > 1:
            out.append(tuple(int(i) for i in order[start:end]))
        reached = max(reached, end)
    return tuple(out)


def _pairwise(scores: FloatArray) -> dict[tuple[int, int], float]:
    from scipy.stats import wilcoxon

    pairs = list(combinations(range(scores.shape[1]), 2))
    found = []
    for a, b in pairs:
        difference = scores[:, a] - scores[:, b]
        difference = difference[difference != 0]  # ties say nothing of the sign
        found.append(float(wilcoxon(difference).pvalue) if len(difference) else 1.0)
    return dict(zip(pairs, holm(found), strict=True))
