"""Support vector machine with a radial kernel (Cortes and Vapnik, Machine Learning 20, 1995), one class against one."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._choice import Grid, Scores, choose_and_classify
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "support vector machine"
SEEDED = False

_GRID = Grid([{"C": c, "gamma_times_channels": g} for c in (1.0, 10.0, 100.0, 1000.0) for g in (0.1, 1.0)])


def _fitted(x: NDArray[np.float64], y: NDArray[np.int64], seed: int, setting: Mapping[str, float]) -> Scores:
    from sklearn.svm import SVC

    gamma = setting["gamma_times_channels"] / x.shape[1]
    model = SVC(C=setting["C"], gamma=gamma, decision_function_shape="ovr").fit(x, y)

    def scores(new: NDArray[np.float64]) -> NDArray[np.float64]:
        told = np.asarray(model.decision_function(new))
        return np.stack([-told, told], axis=1) if told.ndim == 1 else told

    return scores


def fit(data: ClassInput) -> ClassOutput:
    """Fit on the training rows, name the class of the judged rows."""
    return choose_and_classify(data, _GRID, _fitted)
