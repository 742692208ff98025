"""Who wins a study that names a class, and what choosing among its trials adds to a score."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.class_committee import class_committee_optimism
from spectrosim_search.evaluation.class_statistics import ClassMethod, class_optimism, class_score
from spectrosim_search.search.candidates import Candidate
from spectrosim_search.search.class_committee import ClassCommittee, Named
from spectrosim_search.search.contenders import Contender, Score, best_single, pick_winner

__all__ = ["ClassSelection", "select_class"]


@dataclass(frozen=True)
class ClassSelection:
    """The winner and the best single finalist, None where none was completed; what choosing the best trial and the
    members of the committee has added to their scores."""

    winner: Named
    single: Candidate | None
    optimism: float
    committee_optimism: float

    def taken_off(self, contender: Contender) -> float:
        """What choosing it has added to its score on the searched spectra."""
        return self.committee_optimism if isinstance(contender, ClassCommittee) else self.optimism


def select_class(
    finalists: Sequence[Named],
    trials: Mapping[str, ClassMethod],
    folds: int,
    units: NDArray[np.int64],
    metric: str,
    seed: int,
) -> ClassSelection:
    """Pick the winner by :func:`~spectrosim_search.search.contenders.pick_winner`.

    trials: what was chosen among, a method a distinct configuration, on its search folds. Choosing several owes no more
    to luck than choosing one. Raises RunError where no finalist has a complete seed.
    """
    single, several = class_optimism(trials, units, metric, seed=seed), 0.0
    committee = next((c for c in finalists if isinstance(c, ClassCommittee)), None)
    if committee is not None:
        size = len(committee.members)
        several = min(single, class_committee_optimism(trials, size, units, metric, seed=seed))
    score = _scored(folds, metric)
    best = best_single(finalists, folds, score)
    winner = pick_winner(finalists, folds, lambda c: several if c is committee else single, score)
    assert isinstance(winner, Candidate | ClassCommittee)
    return ClassSelection(winner, best if isinstance(best, Candidate) else None, single, several)


def _scored(folds: int, metric: str) -> Score:
    """The metric over seeds whose folds are put together: a fold of a small set may miss a class."""

    def score(contender: Contender, seeds: Collection[int] | None) -> float:
        assert isinstance(contender, Candidate | ClassCommittee)
        named = zip(contender.complete_seeds(folds), contender.class_method(folds), strict=True)
        return class_score([parts for s, parts in named if seeds is None or s in seeds], metric)

    return score
