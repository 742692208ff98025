"""Small data sets, tasks and configurations the tests of the engine share."""

from __future__ import annotations

from typing import Any

import numpy as np

from spectrosim_search.config.configuration import Configuration, Optimiser, Positives, Preprocessing, Training
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.tasks import EvaluationPairs, ReplicateTask, TrainingData

SMALL = {"type": "transformer", "patch": 16, "width": 16, "depth": 1, "heads": 2, "out": 16}


def configuration(**given: Any) -> Configuration:
    """A configuration small enough for a test; every part can be given."""
    augmentations = given.get("augmentations", {"jitter": {}, "scale": {}})
    return Configuration(
        preprocessing=Preprocessing(),
        encoder=resolve("encoders", {**SMALL, **given.get("encoder", {})}),
        head=resolve("heads", given.get("head", {"type": "mlp", "width": 16, "out": 16})),
        objective=resolve("objectives", {"type": "nt-xent", **given.get("objective", {})}),
        augmentations=tuple(resolve("augmentations", {"type": t, **p}) for t, p in sorted(augmentations.items())),
        positives=Positives(**given.get("positives", {})),
        optimiser=Optimiser(**given.get("optimiser", {})),
        training=Training(**{"batch_size": 8, "epochs": 3, **given.get("training", {})}),
    )


def grouped(
    groups: int = 12, size: int = 3, length: int = 70, noise: float = 0.7, seed: int = 0
) -> tuple[TrainingData, np.ndarray]:
    """Spectra of groups that differ in a few smooth directions; returns them with a label for every spectrum."""
    rng = np.random.default_rng(seed)
    label = np.arange(groups) % 2
    centres = rng.normal(size=(groups, 5)) @ rng.normal(size=(5, length)) / 2 + rng.normal(size=(2, length))[label]
    spectra = np.repeat(centres, size, axis=0) + noise * rng.normal(size=(groups * size, length))
    codes = np.repeat(np.arange(groups), size)
    return TrainingData(spectra.astype(np.float32), np.linspace(77.0, 999.0, length), codes), np.repeat(label, size)


def all_pairs(rows: np.ndarray, groups: np.ndarray, labels: np.ndarray) -> EvaluationPairs:
    """Every pair of some rows."""
    i, j = np.triu_indices(rows.size, 1)
    left, right = rows[i], rows[j]
    low, high = np.minimum(labels[left], labels[right]), np.maximum(labels[left], labels[right])
    return EvaluationPairs(left, right, groups[left] == groups[right], low * 2 + high)


def task(
    config: Configuration, spectra: TrainingData, labels: np.ndarray, key: str = "one", seed: int = 1, **given: Any
) -> ReplicateTask:
    """The last eight groups are validation groups, four in each half; the rest trains."""
    codes = spectra.groups
    first = int(codes.max()) - 7
    halves = tuple(
        all_pairs(np.flatnonzero(np.isin(codes, range(at, at + 4))), codes, labels) for at in (first, first + 4)
    )
    given = {"train": np.flatnonzero(codes < first), "halves": halves, "data": "data", **given}
    return ReplicateTask(key=key, configuration=config, seed=seed, **given)
