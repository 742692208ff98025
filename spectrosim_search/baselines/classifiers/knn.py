"""k nearest neighbours (Cover and Hart, IEEE Trans. Inf. Theory 13, 1967) by Euclidean distance, weighted votes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._choice import Grid, Scores, choose_and_classify
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "k nearest neighbours"
SEEDED = False

_GRID = Grid([{"neighbours": float(k)} for k in (1, 3, 5, 9)])


def _fitted(x: NDArray[np.float64], y: NDArray[np.int64], seed: int, setting: Mapping[str, float]) -> Scores:
    from sklearn.neighbors import KNeighborsClassifier

    count = min(int(setting["neighbours"]), len(y))
    model = KNeighborsClassifier(count, weights="distance").fit(x, y)
    return lambda new: np.asarray(model.predict_proba(new))


def fit(data: ClassInput) -> ClassOutput:
    """Fit on the training rows, name the class of the judged rows."""
    return choose_and_classify(data, _GRID, _fitted)
