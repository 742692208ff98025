"""Linear metric with fixed settings: square root, 60 principal axes, shrinkage .1."""

from __future__ import annotations

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._known import training_groups
from spectrosim_search.baselines._preprocessing import fixed, score_rows
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.learning.metric import fit_metric
from spectrosim_search.spectra.preprocessing import describe, fit

__all__ = ["AXES", "SHRINKAGE", "TITLE", "fit_score", "with_settings"]

TITLE = "linear metric"
AXES = 60
SHRINKAGE = 0.1


def with_settings(data: BaselineInput, settings: Preprocessing, k: int, shrinkage: float, line: str) -> BaselineOutput:
    """Fit with the given settings on all training rows and score."""
    train = data.spectra.intensities[data.train]
    state = fit(settings, train)
    metric = fit_metric(state.transform(train), training_groups(data), k, shrinkage)
    parameters = {f"preprocessing.{name}": array for name, array in state.to_arrays().items()}
    parameters |= {"mean": metric.mean, "projection": metric.projection}
    return BaselineOutput(score_rows(data, state, metric.embed), line, settings, parameters)


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Fit and score; SNV takes the place of the square root where intensities can be negative."""
    settings = fixed(data)
    return with_settings(data, settings, AXES, SHRINKAGE, f"{describe(settings)}, k {AXES}, shrinkage {SHRINKAGE}")
