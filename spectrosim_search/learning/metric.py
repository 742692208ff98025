"""The linear metric: PCA, then whitening by the covariance within groups, compared by cosine.

Directions in which spectra of one group differ much count little, and the reverse (Mahalanobis distance of the
within-group covariance; "within-class covariance normalisation", Hatch et al. 2006). The covariance is shrunk towards
its mean diagonal (Ledoit and Wolf 2004), for a training set has fewer spectra than directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError

__all__ = ["LinearMetric", "Principal", "between_axes", "fit_metric", "principal", "whitening", "within_covariance"]

_RANK = 1e-10  # eigenvalues below this share of the largest are rounding


@dataclass(frozen=True, eq=False)
class Principal:
    """Principal axes of training spectra: mean ``(L,)``, axes ``(L, k)`` orthonormal, scores ``(n, k)`` of the
    training."""

    mean: NDArray[np.float64]
    axes: NDArray[np.float64]
    scores: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LinearMetric:
    """Embedding (x - mean) @ projection; mean ``(L,)``, projection ``(L, k)``."""

    mean: NDArray[np.float64]
    projection: NDArray[np.float64]

    def embed(self, x: NDArray[np.floating]) -> NDArray[np.float64]:
        """``(N, L)`` preprocessed spectra → ``(N, k)``."""
        return np.asarray((np.asarray(x, np.float64) - self.mean) @ self.projection)


def principal(x: NDArray[np.floating], k: int) -> Principal:
    """At most `k` principal axes of ``(n, L)``; fewer where the spectra have lower rank (n - 1 at most).

    Through the smaller of the two Gram matrices, so that 50 spectra of 2,000 channels cost a 50 x 50 problem.
    """
    mean = x.mean(axis=0, dtype=np.float64)
    centred = np.asarray(x, np.float64) - mean
    n, length = centred.shape
    if n <= length:
        value, vector = np.linalg.eigh(centred @ centred.T)
    else:
        value, vector = np.linalg.eigh(centred.T @ centred)
    order = np.argsort(value)[::-1][: max(1, min(k, n - 1, length))]
    order = order[value[order] > _RANK * max(float(value[-1]), 0.0)]
    if order.size == 0 or value[-1] <= 0:
        raise DataError("the training spectra are all equal after preprocessing: there is nothing to compare")
    if n <= length:
        root = np.sqrt(value[order])
        return Principal(mean, centred.T @ (vector[:, order] / root), vector[:, order] * root)
    return Principal(mean, vector[:, order], centred @ vector[:, order])


def within_covariance(scores: NDArray[np.float64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Covariance within groups, pooled: ``(n, k)`` and codes ``(n,)`` → ``(k, k)``.

    Raises DataError where no group has two spectra.
    """
    codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    sums = np.zeros((sizes.size, scores.shape[1]))
    np.add.at(sums, codes, scores)
    residual = scores - (sums / sizes[:, None])[codes]
    freedom = int((sizes - 1).sum())
    if freedom == 0:
        raise DataError("no training group has two spectra: the variation within groups cannot be estimated")
    return np.asarray(residual.T @ residual / freedom)


def whitening(covariance: NDArray[np.float64], shrinkage: float) -> NDArray[np.float64]:
    """Inverse symmetric root ``(k, k)`` of the shrunk covariance (1 - s) W + s · mean(diag W) · I."""
    k = covariance.shape[0]
    size = float(np.trace(covariance)) / k
    if size <= 0:  # the spectra of every group coincide: no direction varies more than another
        return np.eye(k)
    shrunk = (1 - shrinkage) * covariance + shrinkage * size * np.eye(k)
    value, vector = np.linalg.eigh(shrunk)
    root = 1 / np.sqrt(np.maximum(value, 1e-12 * size))
    return np.asarray((vector * root) @ vector.T)


def between_axes(
    white: NDArray[np.float64], groups: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Axes ``(k, k)`` along which group means of whitened spectra ``(n, k)`` differ, most first, and the variance
    between groups along them ``(k,)``, in units of the variance within; 0 where groups differ no more than spectra.

    By moments: the covariance M between group means weighted by size has the expectation I + n0 B, n0 the size of
    groups of unequal sizes (Searle 1971). Raises DataError with fewer than two groups.
    """
    codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)[1:]
    if sizes.size < 2:
        raise DataError("one training group: there is no variation between groups")
    means = np.zeros((sizes.size, white.shape[1]))
    np.add.at(means, codes, white - white.mean(axis=0))
    means /= sizes[:, None]
    moment = (means * sizes[:, None]).T @ means / (sizes.size - 1)
    usual = (codes.size - float((sizes**2).sum()) / codes.size) / (sizes.size - 1)
    value, vector = np.linalg.eigh(moment)
    return np.asarray(vector[:, ::-1]), np.maximum((value[::-1] - 1) / usual, 0.0)


def fit_metric(x: NDArray[np.floating], groups: NDArray[np.int64], k: int, shrinkage: float) -> LinearMetric:
    """Fit on training spectra ``(n, L)`` with group codes ``(n,)``."""
    pca = principal(x, k)
    return LinearMetric(pca.mean, pca.axes @ whitening(within_covariance(pca.scores, groups), shrinkage))
