"""Back-propagation network with one hidden layer of 64 (Rumelhart, Hinton and Williams, Nature 323, 1986)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._classifiers import fit_bpnn
from spectrosim_search.baselines.classifiers._choice import Grid, Scores, choose_and_classify
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "back-propagation network"
SEEDED = True

_GRID = Grid([{"epochs": 200.0}], scales=("none",))  # standardises channels by itself


def _fitted(x: NDArray[np.float64], y: NDArray[np.int64], seed: int, setting: Mapping[str, float]) -> Scores:
    return fit_bpnn(x, y, seed=seed % (1 << 32), epochs=int(setting["epochs"])).predict_proba


def fit(data: ClassInput) -> ClassOutput:
    """Fit on the training rows, name the class of the judged rows."""
    return choose_and_classify(data, _GRID, _fitted)
