"""Fisher's linear discriminant of two classes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Discriminant", "fit_lda"]

Floats = NDArray[np.float64]
_SINGULAR = 1e-11  # share of the largest eigenvalue of the covariance below which the rest is rounding


@dataclass(frozen=True, eq=False)
class Discriminant:
    """Log odds (x - midpoint) @ direction at equal priors; both ``(F,)``."""

    midpoint: Floats
    direction: Floats

    def log_odds(self, x: NDArray[np.floating]) -> Floats:
        """``(P, F)`` → ``(P,)``, positive where the second class is likelier."""
        return np.asarray((np.asarray(x, np.float64) - self.midpoint) @ self.direction)


def fit_lda(x: NDArray[np.floating], positive: NDArray[np.bool_]) -> Discriminant:
    """Two Gaussian classes of one covariance, estimated by its pooled unbiased form; features ``(P, F)``.

    The covariance is inverted where it can be; else its pseudo-inverse is taken, through the smaller of the two Gram
    matrices. Not shrunk: it is the textbook's. No rotation of the features changes the log odds.
    """
    from scipy.linalg import LinAlgError, cho_solve, cholesky

    x = np.asarray(x, np.float64)
    means = np.stack([x[~positive].mean(axis=0), x[positive].mean(axis=0)])
    rest = (x - means[positive.astype(np.int64)]) / np.sqrt(max(1, x.shape[0] - 2))
    variance = np.einsum("pf,pf->f", rest, rest)
    varies = variance > 1e-20 * float(variance.max())  # empty channels would make the covariance singular
    rest, gap = rest[:, varies], (means[1] - means[0])[varies]
    direction = np.zeros(x.shape[1])
    solved: Floats | None = None
    if rest.shape[0] - 2 >= rest.shape[1] > 0:
        try:
            root = cholesky(rest.T @ rest, lower=True)
            pivot = np.diag(root) ** 2
            if pivot.min() > _SINGULAR * pivot.max():
                solved = np.asarray(cho_solve((root, True), gap))
        except LinAlgError:
            solved = None  # channels that depend on each other: the pseudo-inverse below
    direction[varies] = _pseudo_solve(rest, gap) if solved is None else solved
    return Discriminant(means.mean(axis=0), direction)


def _pseudo_solve(rest: Floats, gap: Floats) -> Floats:
    """Pseudo-inverse of restᵀ rest ``(P, F)`` applied to ``(F,)``."""
    if rest.shape[1] == 0:
        return gap
    wide = rest.shape[0] < rest.shape[1]
    value, vector = np.linalg.eigh(rest @ rest.T if wide else rest.T @ rest)
    kept = value > _SINGULAR * value[-1]
    value, vector = value[kept], vector[:, kept]
    if wide:
        vector = rest.T @ (vector / np.sqrt(value))
    return np.asarray(vector @ ((vector.T @ gap) / value))
