"""Linear discriminant analysis with a shrunken covariance on principal axes, as weights of the channels.

Friedman, J. Am. Stat. Assoc. 84, 165 (1989): what the linear metric is for pairs, axes whitened by the variation inside
classes and the nearest class mean.
"""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

__all__ = ["AXES", "SHRINKAGE", "discriminant"]

AXES, SHRINKAGE = 40, 0.01  # where nothing is chosen on inner folds; themselves chosen on six sets beside nir-tablets

Floats = NDArray[np.float64]


def discriminant(x: Floats, y: NDArray[np.int64], axes: int, shrinkage: float) -> tuple[Floats, Floats]:
    """Weights ``(L, C)`` and offsets ``(C,)``: ``softmax(x @ weights + offsets)`` are the classes' probabilities.

    x: ``(n, L)`` spectra. y: ``(n,)`` codes of two classes at least; columns are in the order of the sorted codes.
    axes: principal axes kept at most. shrinkage: of the covariance inside classes, 0 to 1. With one spectrum of each
    class nothing varies inside them: then the nearest class mean leads.
    """
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    middle = x.mean(axis=0)
    _, size, turn = np.linalg.svd(x - middle, full_matrices=False)
    kept = max(1, min(axes, int((size > 1e-6 * size[0]).sum())))
    turned = turn[:kept].T / max(float(size[kept - 1]), np.finfo(float).tiny)
    names, own = np.unique(y, return_inverse=True)
    if y.size <= names.size:
        means = np.zeros((names.size, kept))
        means[own] = (x - middle) @ turned
        weights = turned @ means.T
        return weights, -(means**2).sum(axis=1) / 2 - middle @ weights
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage)
    with warnings.catch_warnings():  # with few labels a class may have one spectrum, which does not vary: so be it
        warnings.filterwarnings("ignore", "Only one sample available", UserWarning)
        model.fit((x - middle) @ turned, y)
    inside, offset = np.asarray(model.coef_).T, np.asarray(model.intercept_)
    if inside.shape[1] == 1:  # of two classes the model keeps the second against the first
        inside, offset = np.hstack([np.zeros_like(inside), inside]), np.array([0.0, *offset])
    weights = turned @ inside
    return weights, offset - middle @ weights
