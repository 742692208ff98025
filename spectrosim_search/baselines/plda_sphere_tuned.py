"""PLDA of spectra brought to length one, with preprocessing, number of principal axes and shrinkage chosen by inner
grouped folds.

Principal coordinates are whitened by the covariance within groups and divided by their length before PLDA is fitted:
the length normalisation that i-vectors of speakers owe their Gaussian PLDA to (Garcia-Romero and Espy-Wilson 2011),
whitened as by Bousquet et al. (2012). Both steps shrink alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._known import training_groups
from spectrosim_search.baselines._metric_grid import tuned
from spectrosim_search.baselines._plda import fit_plda
from spectrosim_search.baselines.plda import coordinates, ratios
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.learning.metric import whitening, within_covariance

__all__ = ["TITLE", "fit_score"]

TITLE = "PLDA on a sphere, tuned"

Floats = NDArray[np.float64]


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Choose on inner folds, fit on all training rows, score; the fixed settings where no inner folds are possible."""
    return tuned(data, _ratio, _with_settings)


def _on_sphere(train: Floats, groups: NDArray[np.int64], judge: Floats, shrinkage: float) -> tuple[Floats, Floats]:
    """Both ``(·, k)`` centred and whitened by the training rows, of length one; a row at the centre stays there."""
    centre, white = train.mean(axis=0), whitening(within_covariance(train, groups), shrinkage)
    one, other = (train - centre) @ white, (judge - centre) @ white
    lengths = [np.linalg.norm(x, axis=1, keepdims=True) for x in (one, other)]
    return one / np.maximum(lengths[0], 1e-8), other / np.maximum(lengths[1], 1e-8)


def _ratio(train: Floats, groups: NDArray[np.int64], judge: Floats, shrinkage: float) -> Floats:
    train, judge = _on_sphere(train, groups, judge, shrinkage)
    model = fit_plda(train, groups, shrinkage)
    return model.ratios(model.project(judge))


def _with_settings(data: BaselineInput, settings: Preprocessing, k: int, shrinkage: float, line: str) -> BaselineOutput:
    _, pca, rows, x = coordinates(data, settings, k)
    groups = training_groups(data)
    train, judge = _on_sphere(pca.scores, groups, x, shrinkage)
    return BaselineOutput(ratios(data, fit_plda(train, groups, shrinkage), rows, judge), line)
