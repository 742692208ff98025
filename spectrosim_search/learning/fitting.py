"""What members fit on training spectra before training: constants of a model or of its views, themselves untrained."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from spectrosim_search.learning.order import components_of
from spectrosim_search.learning.tasks import ReplicateTask, TrainingData

__all__ = ["Fitter", "Fitting", "training_groups"]


@dataclass(frozen=True, eq=False)
class Fitting:
    """Training spectra after preprocessing ``(n, L)``, their group codes ``(n,)`` and the axis ``(L,)``.

    A spectrum without a group has a code of its own.
    """

    spectra: NDArray[np.float32]
    groups: NDArray[np.int64]
    axis: NDArray[np.float64]


def training_groups(task: ReplicateTask, data: TrainingData) -> NDArray[np.int64]:
    """Return a group code for each training row ``(n,)``.

    Where a relation is given, groups are the sets of rows it connects; rows without a group get codes of their own.
    """
    if data.relation is not None:
        return components_of(data.relation[np.ix_(task.train, task.train)])
    codes = data.groups[task.train]
    return np.where(codes < 0, codes.max(initial=0) + 1 + np.arange(codes.shape[0]), codes)


class Fitter:
    """Calls the members' `fit`; replicates that share training rows and settings (other seeds) share the result."""

    def __init__(self, tasks: list[ReplicateTask], data: Mapping[str, TrainingData]) -> None:
        """Remember what to fit on; nothing is computed yet."""
        self._tasks, self._data = tasks, data
        self._known: dict[Any, dict[str, torch.Tensor]] = {}

    def __call__(
        self, fit: Callable[[Any, Fitting], Mapping[str, NDArray[np.float32]]], settings: list[Any], dtype: torch.dtype
    ) -> dict[str, torch.Tensor]:
        """Return what `fit` gives under each task's own settings, stacked: ``(R, …)`` by name, on the CPU."""
        rows = [self._one(fit, own, task, dtype) for own, task in zip(settings, self._tasks)]
        return {name: torch.stack([row[name] for row in rows]) for name in rows[0]}

    def _one(
        self,
        fit: Callable[[Any, Fitting], Mapping[str, NDArray[np.float32]]],
        settings: Any,
        task: ReplicateTask,
        dtype: torch.dtype,
    ) -> dict[str, torch.Tensor]:
        key = (fit, settings, task.data, task.train.tobytes())
        if key not in self._known:
            data = self._data[task.data]
            given = Fitting(data.spectra[task.train], training_groups(task, data), data.axis)
            self._known[key] = {n: torch.from_numpy(np.asarray(v)).to(dtype) for n, v in fit(settings, given).items()}
        return self._known[key]
