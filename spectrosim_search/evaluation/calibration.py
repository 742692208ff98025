"""From similarity to a log likelihood ratio, and how well it is calibrated.

Likelihood ratios are natural logarithms of p(similarity | same) / p(similarity | different). They know nothing of how
common same-batch pairs are: a probability needs a stated prior.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Calibration", "calibrate", "cllr", "log_likelihood_ratio", "min_cllr", "probability"]

FloatArray = NDArray[np.float64]

RIDGE = 1e-4  # keeps the slope finite where similarity separates the pairs without a fault
STEPS = 100


@dataclass(frozen=True)
class Calibration:
    """``llr = slope · similarity + intercept``; slope at least 0; NaN where it could not be fitted."""

    slope: float
    intercept: float


def calibrate(similarity: ArrayLike, positive: ArrayLike) -> Calibration:
    """Fit a class-balanced logistic regression of `positive` on `similarity`, both ``(P,)``.

    Both kinds weigh one half, so the log odds are the log likelihood ratio (Brümmer & du Preez 2006, Comput. Speech
    Lang. 20:230). Newton steps on the standardised similarity with a ridge of 1e-4 on its slope. Where similarity
    points the wrong way the slope is 0: no evidence either way.
    """
    s = np.asarray(similarity, dtype=np.float64)
    y = np.asarray(positive, dtype=np.bool_)
    if not y.any() or y.all() or not np.isfinite(s).all():
        return Calibration(float("nan"), float("nan"))
    centre, scale = float(s.mean()), float(s.std())
    if scale == 0:
        return Calibration(0.0, 0.0)
    x = np.stack([(s - centre) / scale, np.ones(len(s))], axis=1)
    w = np.where(y, 0.5 / y.sum(), 0.5 / (~y).sum())
    ridge = np.diag([RIDGE, 0.0])

    def loss(b: FloatArray) -> float:
        z = x @ b
        return float((w * np.logaddexp(0.0, np.where(y, -z, z))).sum() + 0.5 * b @ ridge @ b)

    beta = np.zeros(2)
    for _ in range(STEPS):
        p = 0.5 * (1.0 + np.tanh(0.5 * (x @ beta)))
        gradient = x.T @ (w * (p - y)) + ridge @ beta
        curvature = (x * (w * p * (1.0 - p))[:, None]).T @ x + ridge
        curvature[1, 1] += 1e-12
        step = np.linalg.solve(curvature, gradient)
        length, start = 1.0, loss(beta)
        while loss(beta - length * step) > start and length > 1e-6:
            length /= 2.0
        beta = beta - length * step
        if float(np.abs(step).max()) * length < 1e-10:
            break
    if beta[0] <= 0:
        return Calibration(0.0, 0.0)
    slope = float(beta[0]) / scale
    return Calibration(slope, float(beta[1]) - slope * centre)


def log_likelihood_ratio(similarity: ArrayLike, calibration: Calibration) -> FloatArray:
    """Natural log likelihood ratio of each similarity."""
    return np.asarray(similarity, dtype=np.float64) * calibration.slope + calibration.intercept


def probability(llr: ArrayLike, prior: float = 0.5) -> FloatArray:
    """Probability of "same" for a prior probability in (0, 1). Raises ValueError outside."""
    if not 0.0 < prior < 1.0:
        raise ValueError(f"prior {prior} is not between 0 and 1")
    odds = np.asarray(llr, dtype=np.float64) + math.log(prior / (1.0 - prior))
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * odds)), dtype=np.float64)


def cllr(llr: ArrayLike, positive: ArrayLike) -> float:
    """Cost of log likelihood ratios in bits (Brümmer & du Preez 2006, eq. 24): 0 perfect, 1 no information."""
    z = np.asarray(llr, dtype=np.float64)
    y = np.asarray(positive, dtype=np.bool_)
    if not y.any() or y.all() or np.isnan(z).any():
        return float("nan")
    return float((np.logaddexp(0.0, -z[y]).mean() + np.logaddexp(0.0, z[~y]).mean()) / (2.0 * math.log(2.0)))


def min_cllr(similarity: ArrayLike, positive: ArrayLike) -> float:
    """Cllr after the best rising transformation of these very pairs (pool adjacent violators): what ranking alone
    allows.

    `cllr - min_cllr` is what calibration loses. NaN where undefined.
    """
    s = np.asarray(similarity, dtype=np.float64)
    y = np.asarray(positive, dtype=np.bool_)
    if not y.any() or y.all() or np.isnan(s).any():
        return float("nan")
    values, where = np.unique(s, return_inverse=True)
    up = np.bincount(where, weights=y / y.sum(), minlength=len(values))
    down = np.bincount(where, weights=~y / (~y).sum(), minlength=len(values))
    from scipy.optimize import isotonic_regression

    share = np.asarray(isotonic_regression(up / (up + down), weights=up + down).x, dtype=np.float64)
    share = np.clip(share, 0.0, 1.0)
    bits = -(up * np.log2(np.where(up > 0, share, 1.0)) + down * np.log2(np.where(down > 0, 1.0 - share, 1.0)))
    return float(bits.sum() / 2.0)
