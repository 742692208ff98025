"""From a simulator's name and parameters to spectra."""

from __future__ import annotations

import dataclasses
from typing import Any

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.errors import ConfigurationError, nearest
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["simulate"]

_FAMILY = "spectra.simulators"


def _checked(name: str, settings: type[Any], parameters: dict[str, Scalar]) -> Any:
    fields = {f.name: f for f in dataclasses.fields(settings)}
    problems: list[str] = []
    values: dict[str, Scalar] = {}
    for key, value in parameters.items():
        if key not in fields:
            problems.append(f"simulator '{name}' has no parameter '{key}'{nearest(key, fields)}")
            continue
        expected = type(fields[key].default)
        if expected is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not expected:
            problems.append(f"simulator '{name}': {key} is {value!r}, expected {expected.__name__}")
            continue
        low, high = fields[key].metadata["low"], fields[key].metadata["high"]
        if not isinstance(value, (str, bool)) and not (
            (low is None or value >= low) and (high is None or value <= high)
        ):
            limits = f"below {low}" if high is None else f"outside {low} to {high}"
            problems.append(f"simulator '{name}': {key} is {value}, {limits}")
            continue
        values[key] = value
    if problems:
        raise ConfigurationError(problems)
    return settings(**values)


def simulate(name: str = "reims", **parameters: Scalar) -> SpectraSet:
    """Simulate spectra, deterministic by the parameter ``seed``; `truth` holds what the oracle needs.

    Raises InputError for an unknown simulator and ConfigurationError naming every parameter that is unknown, of
    another type or out of range.
    """
    module = registry.load(_FAMILY, name)
    spectra: SpectraSet = module.simulate(_checked(name, module.Settings, dict(parameters)))
    return spectra
