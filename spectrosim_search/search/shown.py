"""Models of the winner that are trained for the eye alone: the embedding map and the axis view; no score is theirs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.learning.tasks import TrainingData
from spectrosim_search.search.workbench import Workbench

__all__ = ["ShownModel", "train_shown"]


@dataclass(frozen=True, eq=False)
class ShownModel:
    """One replicate on the first fold: its parameters, its data, and the validation pairs as it scored them."""

    configuration: Configuration
    parameters: Mapping[str, NDArray[np.float32]]
    data: TrainingData
    pairs: tuple[PairScores, ...]

    @property
    def rows(self) -> NDArray[np.int64]:
        """Spectra that it was judged on, not trained on."""
        return np.unique(np.concatenate([np.concatenate([p.left, p.right]) for p in self.pairs]))


def train_shown(bench: Workbench, configuration: Configuration, seeds: int) -> list[ShownModel]:
    """Train the first fold with the first fresh seeds; replicates that diverged or have no pairs are left out."""
    from spectrosim_search.learning.engine import train_stack

    out = []
    for item in bench.confirmation_items(configuration, seeds)[:: bench.design.folds]:
        task = replace(bench.task(item), return_parameters=True)
        data = bench.data([item])
        (result,) = train_stack([task], data, precision=configuration.training.precision)
        if task.halves is None or not result.parameters or result.status == "diverged":
            continue
        scored = bench.record(item, result, worker="", started_at=0.0, environment_id="").pairs
        out.append(ShownModel(configuration, result.parameters, data[task.data], scored))
    return out
