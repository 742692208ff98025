"""What criteria that see no group would have chosen, against what labels chose.

Effective rank of validation embeddings (RankMe, Garrido et al. 2023; highest), uniformity, and alignment + uniformity
(Wang and Isola 2020; lowest), each the mean over a trial's cells.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.report.trials import ScoredTrial, scored_trials
from spectrosim_search.search.records import StudyRecord

__all__ = ["FEWEST", "Choice", "choices"]

FEWEST = 3  # finished trials below which a rank correlation says nothing

CRITERIA: Mapping[str, tuple[str, Callable[[Mapping[str, float]], float]]] = {  # name → title, higher is better
    "effective-rank": ("effective rank", lambda m: m.get("embedding_rank", math.nan)),
    "uniformity": ("uniformity", lambda m: -m.get("uniformity", math.nan)),
    "alignment-uniformity": (
        "alignment + uniformity",
        lambda m: -(m.get("alignment", math.nan) + m.get("uniformity", math.nan)),
    ),
}


@dataclass(frozen=True)
class Choice:
    """The trial a criterion ranks first, its score by labels, and the criterion's correlation with the score."""

    title: str
    trial: int
    value: float
    correlation: float  # NaN for the labels themselves, and where all trials are equal


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mid-ranks: ties share the mean of their places."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return np.asarray((last - (counts - 1) / 2)[inverse], dtype=np.float64)


def _spearman(a: list[float], b: list[float]) -> float:
    first, second = (_ranks(np.array(values, dtype=np.float64)) for values in (a, b))
    if first.std() == 0 or second.std() == 0:
        return float("nan")
    return float(np.corrcoef(first, second)[0, 1])


def _criterion(record: StudyRecord, read: Callable[[Mapping[str, float]], float]) -> dict[int, float]:
    """Mean of a criterion over the search replicates of each trial; trials without one are left out."""
    found: dict[int, list[float]] = defaultdict(list)
    for replicate in record.replicates:
        value = read(replicate.metrics)
        if replicate.phase == "search" and replicate.trial_number is not None and math.isfinite(value):
            found[replicate.trial_number].append(value)
    return {number: float(np.mean(values)) for number, values in found.items()}


def choices(record: StudyRecord) -> list[Choice]:
    """Return the choice of the labels, then those of :data:`CRITERIA`; empty below three finished trials that hold them
    all."""
    criteria = {name: _criterion(record, read) for name, (_, read) in CRITERIA.items()}
    trials = [t for t in scored_trials(record) if t.complete and all(t.number in found for found in criteria.values())]
    if len(trials) < FEWEST:
        return []

    def first(rank: Callable[[ScoredTrial], float]) -> ScoredTrial:
        return max(trials, key=lambda t: (rank(t), -t.number))

    best = first(lambda t: t.value)
    out = [Choice("labels (the search)", best.number, best.value, float("nan"))]
    for name, (title, _) in CRITERIA.items():
        own = criteria[name]
        chosen = first(lambda t, own=own: own[t.number])  # type: ignore[misc]
        rho = _spearman([own[t.number] for t in trials], [t.value for t in trials])
        out.append(Choice(title, chosen.number, chosen.value, rho))
    return out
