"""From an Optuna trial to a configuration: define-by-run over a study's ordered dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from spectrosim_search.config.configuration import Configuration, Scalar
from spectrosim_search.config.study import Dimension, Study
from spectrosim_search.search.documents.configurations import configuration_from_paths, configuration_paths
from spectrosim_search.search.documents.layers import active

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.trial import BaseTrial

__all__ = ["build_configuration", "distribution", "distributions", "paths", "suggest", "suggest_values"]


def suggest_values(trial: BaseTrial, study: Study) -> dict[str, Scalar]:
    """Ask the trial for every dimension whose conditions hold; parameter names are dotted paths."""
    values: dict[str, Scalar] = {}
    for dim in study.dimensions:
        if active(dim, values):
            values[dim.path] = _suggest_one(trial, dim)
    return values


def suggest(trial: BaseTrial, study: Study) -> Configuration:
    """Return the configuration a trial stands for.

    A trial that has its parameters already (taken over, enqueued) gives the same configuration again. Raises
    ConfigurationError where the drawn settings contradict each other; `load_study` looks for that beforehand.
    """
    return build_configuration(study, suggest_values(trial, study))


def build_configuration(study: Study, values: Mapping[str, Scalar]) -> Configuration:
    """Lay the varied values over the study's base and fill in every default. Raises ConfigurationError."""
    return configuration_from_paths({**dict(study.base), **values})


def paths(configuration: Configuration) -> dict[str, Scalar]:
    """Every dotted path of a configuration with its value; augmentations that are off are left out."""
    return configuration_paths(configuration)


def _suggest_one(trial: BaseTrial, dim: Dimension) -> Scalar:
    if dim.kind == "categorical":
        chosen = trial.suggest_categorical(dim.path, dim.choices)
        return chosen if chosen is not None else ""  # None is no choice a document can hold
    if dim.kind == "int":
        return trial.suggest_int(dim.path, int(dim.low), int(dim.high), step=int(dim.step or 1), log=dim.log)
    return trial.suggest_float(dim.path, dim.low, dim.high, step=dim.step or None, log=dim.log)


def distribution(dim: Dimension) -> BaseDistribution:
    """The Optuna distribution of one dimension, equal to what :func:`suggest` asks for."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if dim.kind == "categorical":
        return CategoricalDistribution(dim.choices)
    if dim.kind == "int":
        return IntDistribution(int(dim.low), int(dim.high), log=dim.log, step=int(dim.step or 1))
    return FloatDistribution(dim.low, dim.high, log=dim.log, step=dim.step or None)


def distributions(study: Study) -> dict[str, BaseDistribution]:
    """Distributions of all dimensions, conditional ones included."""
    return {dim.path: distribution(dim) for dim in study.dimensions}
