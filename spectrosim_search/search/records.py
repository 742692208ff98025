"""Frozen records of a study, as the store hands them out.

Workers and the driver hold live objects; report, export and the command line read these records only. Times are
seconds since the epoch (UTC) where named ``*_at`` and seconds where named ``*_seconds``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration, Scalar
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.mixture_statistics import MixtureEstimate
from spectrosim_search.evaluation.posterior import Posterior
from spectrosim_search.evaluation.scores import ClassScores, Estimate, MixtureScores, PairScores
from spectrosim_search.evaluation.verdict import ExportKind, Outcome
from spectrosim_search.search.work_item import Phase

__all__ = [
    "CHOSEN",
    "EVERY_SEED",
    "HELD_OUT_FOLD",
    "AxisView",
    "BaselineFit",
    "BaselineRecord",
    "ConfirmationRecord",
    "DatasetRecord",
    "EnvironmentRecord",
    "Estimate",
    "MethodRow",
    "OuterFold",
    "PairScores",
    "ReplicateRecord",
    "StudyRecord",
    "TrialRecord",
    "VerdictRecord",
]

FloatArray = NDArray[np.float32]
CHOSEN = "chosen-baseline"  # nested scoring: the row of the baseline that led in each outer fold's search
EVERY_SEED = -1  # `seed` of a fit that serves all seeds: its method draws nothing
HELD_OUT_FOLD = -1  # `fold` of a fit on all searched groups that scores the held-out pairs


def _no_codes() -> NDArray[np.int64]:
    return np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class ReplicateRecord:
    """One training run: configuration × cell."""

    key: str
    phase: Phase
    configuration_id: str
    trial_number: int | None
    cell: int
    fold: int
    seed: int
    status: Literal["finished", "stopped", "diverged", "failed"]
    reason: str
    score: float  # the study's metric, mean of the two halves; NaN where undefined
    metrics: Mapping[str, float]  # verification.METRICS; without labels: embedding_rank, alignment, uniformity
    curve: FloatArray  # (epochs + 1, 2): score of each validation half after each epoch, epoch 0 first
    loss: FloatArray  # (epochs,) mean training loss
    chosen_epochs: tuple[int, int]
    pairs: tuple[PairScores, ...]  # two halves, or the held-out part
    worker: str
    started_at: float
    train_seconds: float
    total_seconds: float
    environment_id: str
    classes: tuple[ClassScores, ...] = ()  # of a task that names a class, in place of pairs
    mixtures: tuple[MixtureScores, ...] = ()  # one a number of components, where the confirmation asks for them


@dataclass(frozen=True)
class TrialRecord:
    """One Optuna trial with the configuration it stands for."""

    number: int
    state: Literal["RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"]
    value: float | None  # the score, whatever else is searched for
    parameters: Mapping[str, Scalar]
    configuration: Configuration | None
    configuration_id: str
    intermediate: Mapping[int, float]  # number of cells → running mean of the score
    reason: str  # why pruned or failed
    started_at: float | None
    ended_at: float | None
    objectives: Mapping[str, float] = field(default_factory=dict)  # of a study with several, by name
    measured_inference: float | None = None  # ms for 64 spectra by the clock; trials of the front, after the search


@dataclass(frozen=True)
class DatasetRecord:
    """What was searched on."""

    fingerprint: str
    name: str
    spectra: int
    channels: int
    groups: int
    labels: int
    axis_unit: str
    axis_low: float
    axis_high: float


@dataclass(frozen=True)
class EnvironmentRecord:
    """Package versions and hardware a replicate ran on."""

    id: str
    packages: Mapping[str, str]
    hardware: Mapping[str, str]


@dataclass(frozen=True)
class MethodRow:
    """One row of the result table."""

    name: str  # 'winner', a preset's name, a baseline's name, 'oracle', 'trial 17'
    title: str
    kind: Literal["winner", "finalist", "preset", "baseline", "oracle", "audit"]
    configuration_id: str
    seeds: int
    metrics: Mapping[str, Estimate]  # auc, matched_auc, balanced_accuracy, eer, average_precision, mcc
    seed_sd: float  # spread of the study's metric over seeds: training noise
    difference: Estimate | None  # winner - this row, on the study's metric, paired over groups
    p_adjusted: float  # Holm over finalists × baselines; NaN where not tested
    settings: str  # what was chosen inside (preprocessing, k, shrinkage), one line
    note: str = ""


@dataclass(frozen=True)
class VerdictRecord:
    """Better, not worse, cannot tell, or not searched (fixed methods alone) - in one plain sentence.

    `difference`: winner - best baseline; where nothing was searched, leading - next baseline.
    """

    outcome: Outcome
    sentence: str
    difference: Estimate
    best_baseline: str  # where nothing was searched: the one that leads
    optimism: float  # what the selection correction took off the winner's score; 0 with hold-out
    posterior: Posterior | None = None  # probabilities of a lead that matters; None where there is no interval
    effect: Estimate | None = None  # the difference in standard deviations between groups


@dataclass(frozen=True)
class BaselineRecord:
    """A fixed method under the study's own splits."""

    name: str
    title: str
    pairs: tuple[PairScores, ...]
    settings: str
    seconds: float
    classes: tuple[ClassScores, ...] = ()


@dataclass(frozen=True, eq=False)
class AxisView:
    """Where along the axis models of the winner look; S training seeds, C channels of the preprocessed spectra.

    Signed attributions of the similarity of same-batch pairs, averaged over the pairs; see
    :mod:`spectrosim_search.search.axis_view`.
    """

    axis: NDArray[np.float64]  # (C,)
    spectrum: FloatArray  # (C,) mean preprocessed spectrum of the fold's validation groups
    gradients: FloatArray  # (S, C) integrated gradients
    shuffled: FloatArray  # (S, C) the same of models with shuffled weights
    activations: FloatArray  # (S, C) Grad-CAM, at least 0; (0, C) where the encoder has no tokens along the axis
    gap: float  # mean distance of a pair's sum of attributions from what it must be, over the mean of the latter
    pairs: int  # pairs averaged over


@dataclass(frozen=True)
class BaselineFit:
    """One fit of a baseline: name × fold, and × seed where the method draws (`SEEDED`).

    `pairs` are scored without a threshold (NaN): those of the seed's halves or, with `seed` EVERY_SEED, every pair of
    any seed's halves once. status: *unsuitable* data or parameters, for good; *failed* for memory, a lost worker or an
    unexpected error, which is tried again when the study goes on.
    """

    key: str
    baseline: str
    fold: int
    seed: int
    status: Literal["finished", "unsuitable", "failed"]
    reason: str
    settings: str
    pairs: tuple[PairScores, ...]
    worker: str
    started_at: float
    seconds: float
    environment_id: str
    classes: tuple[ClassScores, ...] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)  # of a task that names a class, beside its scores
    mixtures: tuple[MixtureScores, ...] = ()


@dataclass(frozen=True)
class OuterFold:
    """Nested scoring: the search in one outer fold, and what its winner and its best baseline are worth outside."""

    study: str  # name of the search in this fold
    groups: int  # held out of it
    configuration_id: str
    settings: str  # of its winner, one line
    best_search: float  # best score seen in the search
    inner: float  # the winner's, out of fold with fresh seeds
    outer: float  # the winner's, on the groups held out
    baseline: str  # name of the baseline that led on the search's out-of-fold pairs
    baseline_title: str
    baseline_outer: float  # its score on the groups held out


@dataclass(frozen=True)
class ConfirmationRecord:
    """The end of a study."""

    created_at: float
    scoring: Literal["hold-out", "corrected-cv", "nested", "fixed"]  # fixed: nothing was searched, baselines alone
    metric: str
    rows: tuple[MethodRow, ...]
    verdict: VerdictRecord
    winner_trial: int  # -1 where nothing was searched or a committee won
    winner_configuration_id: str  # of a committee: the hash of its members' configurations
    export_kind: ExportKind  # what `export` recommends
    leakage: Mapping[str, float]  # union-find: auc, balanced_accuracy, expected
    threshold: float  # from the winner's out-of-fold pairs
    epochs: int  # median chosen epoch of the winner's replicates
    pairs: tuple[PairScores, ...]  # the winner's, for distributions, ROC and calibration
    embedding: FloatArray  # (N, 2) map of out-of-fold embeddings, or (0, 2)
    warnings: tuple[str, ...] = ()
    winner_members: tuple[int, ...] = ()  # trials of a committee that won, best first; else empty
    group_names: tuple[str, ...] = ()  # by code; empty in records older than this field
    group_codes: NDArray[np.int64] = field(default_factory=_no_codes)  # (N,) of every spectrum, -1 left out; or (0,)
    axis_view: AxisView | None = None
    outer: tuple[OuterFold, ...] = ()  # nested scoring: what the search in each outer fold came to
    classes: tuple[ClassScores, ...] = ()  # of a task that names a class: the winner's, one a seed
    class_names: tuple[str, ...] = ()  # by code
    details: Mapping[str, Mapping[str, float]] = field(default_factory=dict)  # method → further numbers, by name
    mixtures: Mapping[str, tuple[MixtureEstimate, ...]] = field(default_factory=dict)  # method → by components
    labels_trial: int = -1  # what labels would have chosen where finalists were chosen without them; else -1


@dataclass(frozen=True)
class StudyRecord:
    """All the store knows of one study."""

    study: Study
    dataset: DatasetRecord
    created_at: float
    trials: tuple[TrialRecord, ...]
    replicates: tuple[ReplicateRecord, ...]
    baselines: tuple[BaselineRecord, ...]
    confirmation: ConfirmationRecord | None
    environments: tuple[EnvironmentRecord, ...]
    design: Mapping[str, Any] = field(default_factory=dict)  # spectra, groups, pairs a part; detectable difference
    search_seconds: float = float("nan")
    confirmation_seconds: float = float("nan")

    def finished(self, phase: str) -> tuple[ReplicateRecord, ...]:
        """Replicates of one phase that ended with a score."""
        return tuple(r for r in self.replicates if r.phase == phase and r.status in ("finished", "diverged"))
