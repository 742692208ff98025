"""Multinomial logistic regression with a quadratic penalty."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._choice import Grid, Scores, choose_and_classify
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "logistic regression"
SEEDED = False

_GRID = Grid([{"C": c} for c in (0.01, 1.0, 100.0)], scales=("standard",))
_STEPS = 300


def _fitted(x: NDArray[np.float64], y: NDArray[np.int64], seed: int, setting: Mapping[str, float]) -> Scores:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    # n spectra span n directions at most: turned into them, the penalised problem is the same and much smaller
    middle = x.mean(axis=0)
    _, size, turn = np.linalg.svd(x - middle, full_matrices=False)
    turn = turn[size > 1e-10 * size[0]].T if size[0] > 0 else turn[:1].T
    model = LogisticRegression(C=setting["C"] / x.shape[1], max_iter=_STEPS)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many steps are what was asked for
        model.fit((x - middle) @ turn, y)
    return lambda new: np.asarray(model.predict_proba((new - middle) @ turn))


def fit(data: ClassInput) -> ClassOutput:
    """Fit on the training rows, name the class of the judged rows."""
    return choose_and_classify(data, _GRID, _fitted)
