"""What criteria that see no group (:mod:`spectrosim_search.search.label_free`) choose, against what labels choose."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.report.trials import ScoredTrial, scored_trials
from spectrosim_search.search.label_free import CRITERIA, criterion
from spectrosim_search.search.records import StudyRecord

__all__ = ["FEWEST", "Choice", "choices"]

FEWEST = 3  # finished trials below which a rank correlation says nothing


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


def choices(record: StudyRecord) -> list[Choice]:
    """Return the choice of the labels, then those of :data:`CRITERIA`; empty below three finished trials that hold them
    all."""
    criteria = {name: criterion(record, name) for name in CRITERIA}
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
