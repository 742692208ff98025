"""The pairs of training spectra that a pair classifier learns from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput
from spectrosim_search.baselines._inner import draw_groups
from spectrosim_search.baselines._known import training_groups
from spectrosim_search.config.errors import DataError

__all__ = ["TrainingPairs", "training_pairs"]

_MOST_PAIRS = 5_000  # 72 spectra have 2,556: the papers' pairs are all used; more are drawn from
_MOST_POSITIVES = _MOST_PAIRS // 2


@dataclass(frozen=True, eq=False)
class TrainingPairs:
    """Pairs ``(P,)`` of known kind; `left` and `right` point into the training rows."""

    left: NDArray[np.int64]
    right: NDArray[np.int64]
    same: NDArray[np.bool_]
    known: int  # known pairs there were to draw from


def training_pairs(data: BaselineInput, rng: np.random.Generator) -> TrainingPairs:
    """Every known pair of training spectra, the order inside a pair drawn at random.

    Pairs grow with the square of the spectra: of more than 5,000 all positives are kept (2,500 drawn where there are
    more) and negatives drawn to fill up; beyond 1,500 spectra whole groups are drawn first. Under a relation a pair is
    known where the relation says so, chains of known pairs are not followed. Raises DataError without both kinds.
    """
    groups = training_groups(data)
    kept = draw_groups(groups, rng)
    i, j = np.triu_indices(kept.size, 1)
    left, right = kept[i], kept[j]
    same = groups[left] == groups[right]
    if data.relation is not None:
        relation = data.relation[data.train[left], data.train[right]]
        left, right, same = left[relation >= 0], right[relation >= 0], relation[relation >= 0] == 1
    if same.all() or not same.any():
        raise DataError("a pair classifier needs training pairs of the same group and of different groups")
    chosen = np.arange(left.size)
    if chosen.size > _MOST_PAIRS:
        positives, negatives = np.flatnonzero(same), np.flatnonzero(~same)
        if positives.size > _MOST_POSITIVES:
            positives = rng.choice(positives, _MOST_POSITIVES, replace=False)
        wanted = min(negatives.size, _MOST_PAIRS - positives.size)
        chosen = np.sort(np.concatenate([positives, rng.choice(negatives, wanted, replace=False)]))
    flip = rng.random(chosen.size) < 0.5
    a, b = left[chosen], right[chosen]
    return TrainingPairs(np.where(flip, b, a), np.where(flip, a, b), same[chosen], left.size)
