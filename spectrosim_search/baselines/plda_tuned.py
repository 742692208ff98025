"""PLDA with preprocessing, number of principal axes and shrinkage chosen by inner grouped folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._metric_grid import tuned
from spectrosim_search.baselines._plda import fit_plda
from spectrosim_search.baselines.plda import with_settings

__all__ = ["TITLE", "fit_score"]

TITLE = "PLDA, tuned"


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Choose on inner folds, fit on all training rows, score; the fixed settings where no inner folds are possible."""
    return tuned(data, _ratio, with_settings)


def _ratio(
    train: NDArray[np.float64], groups: NDArray[np.int64], judge: NDArray[np.float64], shrinkage: float
) -> NDArray[np.float64]:
    model = fit_plda(train, groups, shrinkage)
    return model.ratios(model.project(judge))
