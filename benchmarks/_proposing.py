"""TPE on a recorded table: what it proposes is replaced by the nearest configuration not drawn yet.

The sampler learns from the configurations that were really drawn. That blunts it (the nearest of some hundred points in
a space of dozens of dimensions is not near), so this shows how a pruning method gets on with a learning sampler, not
how good the sampler is.
"""

from __future__ import annotations

import math

import numpy as np
import optuna
from numpy.typing import NDArray
from optuna.trial import TrialState, create_trial

from benchmarks._table import Table
from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.study import Dimension
from spectrosim_search.search.samplers import make_sampler
from spectrosim_search.search.space import distributions, suggest_values

__all__ = ["Nearest", "coordinates", "distances"]


def coordinates(dimensions: tuple[Dimension, ...], values: dict[str, Scalar]) -> NDArray[np.float64]:
    """One number a dimension: place in its range (0 to 1, on its scale) or number of the choice; NaN where inactive."""
    out = np.full(len(dimensions), np.nan)
    for place, dim in enumerate(dimensions):
        if dim.path not in values:
            continue
        value = values[dim.path]
        if dim.kind == "categorical":
            out[place] = dim.choices.index(value)
        elif dim.log:
            out[place] = (math.log(float(value)) - math.log(dim.low)) / max(1e-12, math.log(dim.high / dim.low))
        else:
            out[place] = (float(value) - dim.low) / max(1e-12, dim.high - dim.low)
    return out


def distances(
    dimensions: tuple[Dimension, ...], one: NDArray[np.float64], many: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Sum of squared differences; another choice, or a parameter that only one of them has, counts 1."""
    categorical = np.array([d.kind == "categorical" for d in dimensions])
    difference = np.where(categorical, many != one, many - one) ** 2
    lonely = np.isnan(many) != np.isnan(one)
    neither = np.isnan(many) & np.isnan(one)
    total: NDArray[np.float64] = np.where(neither, 0.0, np.where(lonely, 1.0, difference)).sum(axis=1)
    return total


class Nearest:
    """See :class:`~benchmarks._replay.Draw`."""

    def __init__(self, table: Table, seed: int) -> None:
        self._table, self._seed = table, seed
        self._dimensions = table.study.dimensions
        self._points = np.stack([coordinates(self._dimensions, e.parameters) for e in table.entries])
        self._space = distributions(table.study)
        self._study = optuna.create_study(direction="maximize")
        self._drawn = np.zeros(len(table.entries), dtype=np.bool_)

    def next(self) -> int | None:
        """The nearest configuration to what TPE proposes."""
        if self._drawn.all():
            return None
        number = int(self._drawn.sum())
        self._study.sampler = make_sampler(self._table.study.sampler, self._seed, number, self._dimensions)
        trial = self._study.ask()
        proposed = suggest_values(trial, self._table.study)
        self._study.tell(trial, state=TrialState.FAIL)  # ignored by TPE; what was drawn instead is told below
        away = distances(self._dimensions, coordinates(self._dimensions, proposed), self._points)
        place = int(np.argmin(np.where(self._drawn, np.inf, away)))
        self._drawn[place] = True
        return place

    def tell(self, place: int, scores: list[float], *, complete: bool) -> None:
        """Give TPE the result."""
        parameters = self._table.entries[place].parameters
        means = {n: float(np.mean(scores[:n])) for n in range(1, len(scores) + 1)}
        self._study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if complete else TrialState.PRUNED,
                value=means[len(scores)] if complete else None,
                params=dict(parameters),
                distributions={name: self._space[name] for name in parameters},
                intermediate_values=means,
            )
        )
