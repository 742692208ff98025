"""The committee of a study that names a class: its best finished trials vote; and the choice of the winner."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.study import Confirmation
from spectrosim_search.evaluation.class_committee import class_committee_optimism, vote, voted_mixtures
from spectrosim_search.evaluation.class_statistics import ClassMethod, class_metrics, class_optimism, class_score
from spectrosim_search.evaluation.scores import ClassScores, MixtureScores, PairScores
from spectrosim_search.search.candidates import Candidate
from spectrosim_search.search.committee import Several, choose_members
from spectrosim_search.search.contenders import ScoredCell, rankable
from spectrosim_search.search.records import ReplicateRecord, TrialRecord

__all__ = ["ClassCommittee", "ClassSelection", "Named", "best_single", "choose_class_committee", "select_class"]


@dataclass
class ClassCommittee(Several):
    """What its members name together, by the votes of :mod:`spectrosim_search.evaluation.class_committee`."""

    JOINED = "votes"

    def cell(self, seed: int, fold: int) -> ScoredCell:
        """The score of the vote; pairs there are none."""
        if (seed, fold) not in self._cells:
            score = class_metrics([self._vote([m.replicates[seed, fold] for m in self.members])])[self.metric]
            self._cells[seed, fold] = ScoredCell((), score)
        return self._cells[seed, fold]

    def class_method(self, folds: int) -> ClassMethod:
        """Classes that the members of every complete seed name together, all folds."""
        return [
            tuple(self._vote([m.replicates[s, f] for m in self.members]) for f in range(folds))
            for s in self.complete_seeds(folds)
        ]

    def held_out_classes(self) -> ClassMethod:
        """The same of the held-out spectra, by seed."""
        return [(self._vote(records),) for records in self._held_out()]

    def mixtures(self, *, held_out: bool) -> list[MixtureScores]:
        """Components that most members name, in every cell that all of them have."""
        cells = (
            self._held_out() if held_out else [[m.replicates[p] for m in self.members] for p in sorted(self.places())]
        )
        return [voted_mixtures(each) for records in cells for each in zip(*(r.mixtures for r in records), strict=True)]

    def details(self, *, held_out: bool) -> dict[str, float]:
        """Nothing: what a program measures beside its classes is of one model."""
        del held_out
        return {}

    def held_out_parts(self) -> dict[int, tuple[PairScores, ...]]:
        """Nothing: a class is named, no pair is scored."""
        return {}

    def _held_out(self) -> list[list[ReplicateRecord]]:
        seeds = sorted(set.intersection(*({s for s, r in m.held_out.items() if r.classes} for m in self.members)))
        return [[m.held_out[s] for m in self.members] for s in seeds]

    @staticmethod
    def _vote(records: Sequence[ReplicateRecord]) -> ClassScores:
        return vote([r.classes[0] for r in records])


Named = Candidate | ClassCommittee  # what a study of a task that names a class confirms


@dataclass(frozen=True)
class ClassSelection:
    """The winner, and what choosing the best trial and the members of the committee has added to their scores."""

    winner: Named
    optimism: float
    committee_optimism: float

    def taken_off(self, contender: Named) -> float:
        """What choosing it has added to its score on the searched spectra."""
        return self.committee_optimism if isinstance(contender, ClassCommittee) else self.optimism


def choose_class_committee(trials: Sequence[TrialRecord], asked: Confirmation, metric: str) -> ClassCommittee | None:
    """The best finished trials of distinct configurations; None where none is asked for or fewer than three are."""
    members = choose_members(trials, asked)
    if not members:
        return None
    return ClassCommittee("committee", f"Committee of {len(members)} trials", "finalist", members, metric)


def best_single(finalists: Sequence[Named], folds: int, metric: str) -> Candidate | None:
    """The single finalist that scores best over its fresh seeds; the earlier trial where two are level."""
    singles = [c for c in finalists if isinstance(c, Candidate)]
    return max(
        singles,
        key=lambda c: (rankable(class_score(c.class_method(folds), metric)), -c.trials[0]),
        default=None,
    )


def select_class(
    finalists: Sequence[Named],
    trials: Mapping[str, ClassMethod],
    folds: int,
    units: NDArray[np.int64],
    metric: str,
    seed: int,
) -> ClassSelection:
    """The best single finalist, or the committee where it is ahead of that one on the seeds both have.

    Both less what choosing them among `trials` (one method a distinct configuration, its search folds) has added;
    choosing several owes no more to luck than choosing one.
    """
    single = best_single(finalists, folds, metric)
    committee = next((c for c in finalists if isinstance(c, ClassCommittee)), None)
    optimism = class_optimism(trials, units, metric, seed=seed)
    if committee is None:
        assert single is not None
        return ClassSelection(single, optimism, 0.0)
    several = min(optimism, class_committee_optimism(trials, len(committee.members), units, metric, seed=seed))
    if single is None:
        return ClassSelection(committee, optimism, several)
    shared = set(single.complete_seeds(folds)) & set(committee.complete_seeds(folds))
    ahead = _over(committee, folds, metric, shared) - several > _over(single, folds, metric, shared) - optimism
    return ClassSelection(committee if ahead else single, optimism, several)


def _over(contender: Named, folds: int, metric: str, seeds: set[int]) -> float:
    method = contender.class_method(folds)
    own = [parts for s, parts in zip(contender.complete_seeds(folds), method, strict=True) if s in seeds]
    return rankable(class_score(own, metric))
