"""Extreme learning machine: random hidden layer of 500, ridge regression behind it (Huang, Zhu and Siew 2006)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._classifiers import fit_elm
from spectrosim_search.baselines.classifiers._choice import Grid, Scores, choose_and_classify
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "extreme learning machine"
SEEDED = True

_GRID = Grid([{"penalty": p} for p in (1e-6, 1e-4, 1e-2)], scales=("none",))  # standardises channels by itself


def _fitted(x: NDArray[np.float64], y: NDArray[np.int64], seed: int, setting: Mapping[str, float]) -> Scores:
    return fit_elm(x, y, seed=seed, penalty=setting["penalty"]).predict_proba


def fit(data: ClassInput) -> ClassOutput:
    """Fit on the training rows, name the class of the judged rows."""
    return choose_and_classify(data, _GRID, _fitted)
