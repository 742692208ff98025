"""Random forest (Breiman, Machine Learning 45, 2001): 200 trees, a tenth of the channels asked at a split."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._choice import Grid, Scores, choose_and_classify
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "random forest"
SEEDED = True

_TREES = 200
# trees do not see how a channel is scaled
_GRID = Grid([{"channels_a_split": 0.1}], scales=("none",))


def _fitted(x: NDArray[np.float64], y: NDArray[np.int64], seed: int, setting: Mapping[str, float]) -> Scores:
    from sklearn.ensemble import RandomForestClassifier

    share = setting["channels_a_split"]
    model = RandomForestClassifier(_TREES, max_features=share, random_state=seed % (1 << 32), n_jobs=1).fit(x, y)
    return lambda new: np.asarray(model.predict_proba(new))


def fit(data: ClassInput) -> ClassOutput:
    """Fit on the training rows, name the class of the judged rows."""
    return choose_and_classify(data, _GRID, _fitted)
