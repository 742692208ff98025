"""What sums of squares over groups are made of, from the layout alone: who meets whom in which part.

The score of a part is laid out as

    weighted mean over its groups of a_g + weighted mean over its pairs of groups of b_gh

the first two terms of the decomposition into what groups do alone and what two do together (Hoeffding 1948; Efron &
Stein 1981, Ann. Stat. 9:586, eq. 2.3), a and b independent with variances A and B. Half of what a group does is weighed
by its positive pairs and half by its negative ones; a pair of groups weighs by the negative pairs between them. Then
the score, the score without a group and second differences are linear in a and b, and their sums of squares are
``first * A + second * B`` in expectation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.frames import Frame

__all__ = ["Layout", "PartLayout", "part_layout"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class PartLayout:
    """Who counts in a part of n groups under each weighting: everybody, without each group, without each pair.

    weights, first ``(R, n)``, second ``(R, n (n - 1) / 2)``: coefficients of a, and of b with pairs in the order of
    ``numpy.triu_indices(n, 1)``. usable ``(R,)``: groups whose positive pairs can be scored. twice: whether pairs of
    groups are deleted.
    """

    weights: FloatArray
    usable: FloatArray
    first: FloatArray
    second: FloatArray
    twice: bool


def part_layout(frame: Frame, metric: str, *, twice: bool) -> PartLayout:
    """Lay out one part.

    Under `matched_auc` each label pair that holds both kinds is a piece of its own and weighs by its positives.
    """
    n, left, right = len(frame.members), frame.left, frame.right
    low, high = np.triu_indices(n, 1)
    w, touches = _weightings(n, twice), np.eye(n)[low] + np.eye(n)[high]
    pairs = w[:, low] * w[:, high]
    first, second, total = np.zeros(w.shape), np.zeros(pairs.shape), np.zeros(len(w))
    usable = np.zeros(w.shape, dtype=np.bool_)
    for piece in frame.strata(metric):
        up, down = piece.up, piece.down
        same = w * np.bincount(left[up], minlength=n)
        table = np.bincount(left[down] * n + right[down], minlength=n * n).reshape(n, n).astype(np.float64)
        within = w * np.diag(table)  # negative pairs inside a unit of several groups
        apart = pairs * (table + table.T)[low, high]
        ends = within + 0.5 * (apart @ touches)
        positives, negatives = same.sum(axis=1), ends.sum(axis=1)
        good = (positives > 0) & (negatives > 0)
        share, scale = np.where(good, positives, 0.0), np.where(good, negatives, 1.0)
        first += 0.5 * same * good[:, None] + 0.5 * ends * (share / scale)[:, None]
        second += apart * (share / scale)[:, None]
        usable |= good[:, None] & (same > 0)
        total += share
    total = np.where(total > 0, total, 1.0)[:, None]
    return PartLayout(w, usable.sum(axis=1).astype(np.float64), first / total, second / total, twice)


def _weightings(n: int, twice: bool) -> FloatArray:
    low, high = np.triu_indices(n, 1)
    weights = [np.ones((1, n)), 1.0 - np.eye(n)]
    if twice:
        weights.append(1.0 - np.eye(n)[low] - np.eye(n)[high])
    return np.concatenate(weights)


@dataclass(frozen=True, eq=False)
class Layout:
    """Coefficients of A and B in the expected sums of squares of all parts together.

    jackknife: over groups (T1). second: over pairs of groups (T2). variance: what is asked for. quartic: half the
    variance of its estimate in A^2, A B and B^2, for Gaussian effects.
    """

    jackknife: FloatArray
    second: FloatArray
    variance: FloatArray
    quartic: FloatArray

    @classmethod
    def of(cls, change: FloatArray, mixed: FloatArray, whole: FloatArray, size: int) -> Layout:
        """From coefficients of a (the first `size` columns) and b: rows of T1, of T2, and of the score."""
        jackknife, second, variance = (
            np.array([(rows[:, :size] ** 2).sum(), (rows[:, size:] ** 2).sum()]) for rows in (change, mixed, whole)
        )
        weights = _weights(jackknife, second, variance)
        used = mixed[(mixed**2).sum(axis=1) > 0] if weights[1] else mixed[:0]
        rows = np.concatenate([change, used])
        signed = np.repeat(weights, [len(change), len(used)])
        a, b = rows[:, :size] @ rows[:, :size].T, rows[:, size:] @ rows[:, size:].T
        quartic = np.array([signed @ (a * a) @ signed, 2.0 * (signed @ (a * b) @ signed), signed @ (b * b) @ signed])
        return cls(jackknife, second, variance, quartic)

    def degrees(self, alone: float, together: float) -> float:
        """Student's degrees of freedom for A and B (Satterthwaite 1946, Biometrics Bulletin 2:110); NaN without any."""
        mean = float(self.variance @ [alone, together])
        half = float(self.quartic @ [alone**2, alone * together, together**2])
        return mean**2 / half if half > 0 else float("nan")


def _weights(jackknife: FloatArray, second: FloatArray, variance: FloatArray) -> FloatArray:
    """Weights of T1 and T2 that expect `variance` whatever A and B; without T2, of T1 alone: never too little."""
    if not jackknife.min() > 0:
        return np.zeros(2)
    if second[1] > 0 and jackknife[0] * second[1] > jackknife[1] * second[0]:
        return np.asarray(np.linalg.solve(np.array([jackknife, second]).T, variance), dtype=np.float64)
    return np.array([(variance / jackknife).max(), 0.0])
