"""What the engine is given and what it gives back: plain arrays and a configuration.

Shapes: N spectra, L channels, n training spectra, P pairs, E epochs. Row numbers point into `TrainingData.spectra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration

__all__ = ["EvaluationPairs", "ReplicateResult", "ReplicateTask", "TrainingData"]


@dataclass(frozen=True, eq=False)
class EvaluationPairs:
    """Pairs of one part. `stratum` numbers unordered label pairs, -1 where unknown."""

    left: NDArray[np.int64]  # (P,)
    right: NDArray[np.int64]  # (P,)
    positive: NDArray[np.bool_]  # (P,)
    stratum: NDArray[np.int64]  # (P,)


@dataclass(frozen=True, eq=False)
class TrainingData:
    """Spectra after preprocessing for one fold; stored once and referenced by its replicates."""

    spectra: NDArray[np.float32]  # (N, L)
    axis: NDArray[np.float64]  # (L,)
    groups: NDArray[np.int64]  # (N,) codes; read for training rows only
    relation: NDArray[np.int8] | None = None  # (N, N) 1 same, 0 different, -1 unknown; None: from groups


@dataclass(frozen=True, eq=False)
class ReplicateTask:
    """One training run.

    With `halves`, training stops early and each half is scored at the epoch the other half chose. Without, training
    runs for `epochs` epochs of the configuration's schedule and the last state counts (retraining on everything).
    """

    key: str
    configuration: Configuration
    seed: int  # keys every random stream of this replicate
    data: str  # key of its TrainingData
    train: NDArray[np.int64]  # (n,) rows
    halves: tuple[EvaluationPairs, EvaluationPairs] | None
    test: EvaluationPairs | None = None  # scored once, by the final state (needs halves None)
    epochs: int | None = None
    steps_per_epoch: int | None = None  # ⌈median training size of the design's folds / batch size⌉; None: of `train`
    metric: Literal["matched_auc", "auc"] = "matched_auc"  # what epochs are chosen by
    stop_below: NDArray[np.float32] | None = None  # (E,) stop when the best score so far is below, after each epoch
    return_parameters: bool = False


@dataclass(frozen=True, eq=False)
class ReplicateResult:
    """What one training run gave."""

    key: str
    status: Literal["finished", "stopped", "diverged"]
    reason: str
    curve: NDArray[np.float32]  # (E + 1, 2)
    loss: NDArray[np.float32]  # (E,)
    chosen_epochs: tuple[int, int]  # by half 0, by half 1
    similarities: tuple[
        NDArray[np.float32], ...
    ]  # out of sample: half 0 at half 1's epoch, half 1 at half 0's; or test
    choosing: tuple[NDArray[np.float32], ...]  # for thresholds: half 1 at half 1's epoch, half 0 at half 0's
    train_seconds: float
    total_seconds: float
    embedding_rank: float  # effective rank of validation embeddings at the end: collapse shows as 1
    alignment: float = float("nan")  # of the same embeddings with those of slightly noisy spectra
    uniformity: float = float("nan")  # of the same embeddings
    parameters: Mapping[str, NDArray[np.float32]] = field(default_factory=dict)
