"""Linear discriminant analysis with a shrunken covariance on principal axes (Friedman, J. Am. Stat. Assoc. 84, 1989).

What the linear metric is for pairs: axes whitened by the variation inside classes, the nearest class mean.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._choice import Grid, Scores, choose_and_classify
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "linear discriminant analysis"
SEEDED = False

_GRID = Grid([{"axes": float(k), "shrinkage": s} for k in (10, 20, 40) for s in (1e-4, 1e-2)])


def _fitted(x: NDArray[np.float64], y: NDArray[np.int64], seed: int, setting: Mapping[str, float]) -> Scores:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    middle = x.mean(axis=0)
    _, size, turn = np.linalg.svd(x - middle, full_matrices=False)
    kept = max(1, min(int(setting["axes"]), int((size > 1e-6 * size[0]).sum())))
    turned = turn[:kept].T / max(float(size[kept - 1]), np.finfo(float).tiny)
    model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=setting["shrinkage"]).fit((x - middle) @ turned, y)
    return lambda new: np.asarray(model.predict_proba((new - middle) @ turned))


def fit(data: ClassInput) -> ClassOutput:
    """Fit on the training rows, name the class of the judged rows."""
    return choose_and_classify(data, _GRID, _fitted)
