"""The committee of a study that names a class: its best finished trials vote."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spectrosim_search.config.study import Confirmation
from spectrosim_search.evaluation.class_committee import vote, voted_mixtures
from spectrosim_search.evaluation.class_statistics import ClassMethod, class_metrics
from spectrosim_search.evaluation.scores import ClassScores, MixtureScores, PairScores
from spectrosim_search.search.candidates import Candidate
from spectrosim_search.search.committee import Several, choose_members
from spectrosim_search.search.contenders import ScoredCell
from spectrosim_search.search.records import ReplicateRecord, TrialRecord

__all__ = ["ClassCommittee", "Named", "choose_class_committee"]


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


def choose_class_committee(trials: Sequence[TrialRecord], asked: Confirmation, metric: str) -> ClassCommittee | None:
    """The best finished trials of distinct configurations; None where none is asked for or fewer than three are."""
    members = choose_members(trials, asked)
    if not members:
        return None
    return ClassCommittee("committee", f"Committee of {len(members)} trials", "finalist", members, metric)
