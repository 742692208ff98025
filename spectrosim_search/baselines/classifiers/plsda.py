"""PLS discriminant analysis (Barker and Rayens, J. Chemometrics 17, 2003): one PLS1 model a class, the largest wins."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._classifiers import fit_plsda
from spectrosim_search.baselines.classifiers._choice import Grid, Scores, choose_and_classify
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "PLS-DA"
SEEDED = False

_GRID = Grid([{"components": float(k)} for k in (4, 8, 12, 16, 24)])


def _fitted(x: NDArray[np.float64], y: NDArray[np.int64], seed: int, setting: Mapping[str, float]) -> Scores:
    return fit_plsda(x, y, int(setting["components"])).predict_proba


def fit(data: ClassInput) -> ClassOutput:
    """Fit on the training rows, name the class of the judged rows."""
    return choose_and_classify(data, _GRID, _fitted)
