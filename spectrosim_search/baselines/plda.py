"""PLDA with fixed settings: square root, 60 principal axes, shrinkage .1; score: the log likelihood ratio."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._known import training_groups
from spectrosim_search.baselines._plda import Plda, fit_plda
from spectrosim_search.baselines._preprocessing import fixed
from spectrosim_search.baselines.linear_metric import AXES, SHRINKAGE
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.learning.metric import Principal, principal
from spectrosim_search.spectra.preprocessing import State, describe, fit

__all__ = ["TITLE", "coordinates", "fit_score", "ratios", "with_settings"]

TITLE = "PLDA"


def with_settings(data: BaselineInput, settings: Preprocessing, k: int, shrinkage: float, line: str) -> BaselineOutput:
    """Fit with the given settings on all training rows and score."""
    state, pca, rows, x = coordinates(data, settings, k)
    model = fit_plda(pca.scores, training_groups(data), shrinkage)
    parameters = {f"preprocessing.{name}": array for name, array in state.to_arrays().items()}
    constants = model.constants()
    parameters |= {
        "mean": pca.mean + pca.axes @ constants["mean"],  # axes are orthonormal
        "projection": pca.axes @ constants["projection"],
        "weight": constants["weight"],
        "offset": constants["offset"],
    }
    return BaselineOutput(ratios(data, model, rows, x), line, settings, parameters)


def coordinates(
    data: BaselineInput, settings: Preprocessing, k: int
) -> tuple[State, Principal, NDArray[np.int64], NDArray[np.float64]]:
    """Preprocessing and principal axes of the training rows, and all rows ``(m,)`` that are asked for with their
    coordinates ``(m, k)``."""
    raw = data.spectra.intensities
    state = fit(settings, raw[data.train])
    pca = principal(state.transform(raw[data.train]), k)
    rows = np.unique(np.concatenate([data.train, *(np.concatenate([p.left, p.right]) for p in data.pairs)]))
    return state, pca, rows, np.asarray((state.transform(raw[rows]) - pca.mean) @ pca.axes)


def ratios(
    data: BaselineInput, model: Plda, rows: NDArray[np.int64], x: NDArray[np.float64]
) -> tuple[NDArray[np.float32], ...]:
    """Log likelihood ratios of every set of pairs; rows ``(m,)`` have what the model reads in x ``(m, k)``."""
    z = model.project(x)
    places = ((np.searchsorted(rows, p.left), np.searchsorted(rows, p.right)) for p in data.pairs)
    return tuple(model.ratio(z, left, right) for left, right in places)


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Fit and score; SNV takes the place of the square root where intensities can be negative."""
    settings = fixed(data)
    return with_settings(data, settings, AXES, SHRINKAGE, f"{describe(settings)}, k {AXES}, shrinkage {SHRINKAGE}")
