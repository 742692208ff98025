"""Linear metric with preprocessing, number of principal axes and shrinkage chosen by inner grouped folds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._cosine import unit_rows
from spectrosim_search.baselines._metric_grid import tuned
from spectrosim_search.baselines.linear_metric import with_settings
from spectrosim_search.learning.metric import whitening, within_covariance

__all__ = ["TITLE", "fit_score"]

TITLE = "linear metric, tuned"


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Choose on inner folds, fit on all training rows, score; the fixed settings where no inner folds are possible."""
    return tuned(data, _cosine, with_settings)


def _cosine(
    train: NDArray[np.float64], groups: NDArray[np.int64], judge: NDArray[np.float64], shrinkage: float
) -> NDArray[np.float64]:
    unit = unit_rows(judge @ whitening(within_covariance(train, groups), shrinkage))
    return np.asarray(unit @ unit.T)
