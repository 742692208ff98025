"""Linear discriminant analysis with a shrunken covariance on principal axes (Friedman, J. Am. Stat. Assoc. 84, 1989).

What the linear metric is for pairs: axes whitened by the variation inside classes, the nearest class mean.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._choice import Grid, Scores, choose_and_classify
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.baselines.classifiers._linear import discriminant

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "linear discriminant analysis"
SEEDED = False

_GRID = Grid([{"axes": float(k), "shrinkage": s} for k in (10, 20, 40) for s in (1e-4, 1e-2)])


def _fitted(x: NDArray[np.float64], y: NDArray[np.int64], seed: int, setting: Mapping[str, float]) -> Scores:
    from scipy.special import softmax

    weights, offsets = discriminant(x, y, int(setting["axes"]), setting["shrinkage"])
    return lambda new: np.asarray(softmax(new @ weights + offsets, axis=1))


def fit(data: ClassInput) -> ClassOutput:
    """Fit on the training rows, name the class of the judged rows."""
    return choose_and_classify(data, _GRID, _fitted)
