"""The committee of a search: its best finished trials as one contender, their similarities averaged."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration, committee_identity
from spectrosim_search.config.study import Confirmation
from spectrosim_search.evaluation.committee import SMALLEST, CommitteeBias, average, committee_bbc
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import metrics, primary
from spectrosim_search.search.budget import committee_seeds
from spectrosim_search.search.candidates import Candidate, best_trials
from spectrosim_search.search.contenders import Contender, ScoredCell
from spectrosim_search.search.records import ReplicateRecord, TrialRecord

__all__ = [
    "Committee",
    "Several",
    "averaged_cells",
    "choose_committee",
    "choose_members",
    "committee_bias",
    "trained_by",
]


@dataclass
class Several(Contender):
    """Trials that are judged as one.

    Members are candidates of their own: what a finalist has trained counts for the committee, and it trains nothing
    twice. It has a cell where every member has.
    """

    members: tuple[Candidate, ...]
    metric: str
    _cells: dict[tuple[int, int], ScoredCell] = field(default_factory=dict, repr=False)
    JOINED: ClassVar[str]  # what is made of its members

    @property
    def identity(self) -> str:
        """Of the members' configurations, in their order."""
        return committee_identity([m.identity for m in self.members])

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """The members', best first."""
        return tuple(m.configuration for m in self.members)

    @property
    def trials(self) -> tuple[int, ...]:
        """The members' trials, best first."""
        return tuple(t for m in self.members for t in m.trials)

    def settings(self) -> str:
        """Which trials, and how many of which encoder."""
        kinds = Counter(m.settings().split(",")[0] for m in self.members)
        said = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
        return f"{self.JOINED} of trials {', '.join(map(str, self.trials))} ({said})"

    def places(self) -> Collection[tuple[int, int]]:
        """(seed, fold) where every member has a score."""
        return set.intersection(*(set(m.places()) for m in self.members))

    def tried(self) -> Collection[tuple[int, int]]:
        """(seed, fold) where every member has ended."""
        return set.intersection(*(set(m.tried()) for m in self.members))

    def chosen_epochs(self) -> list[int]:
        """Of all members."""
        return [e for m in self.members for e in m.chosen_epochs()]

    def epochs(self) -> int:
        """Median over the members; each is trained for its own."""
        return round(statistics.median(m.epochs() for m in self.members))


@dataclass
class Committee(Several):
    """The mean of the members' similarities over the same pairs."""

    JOINED = "mean similarity"

    def cell(self, seed: int, fold: int) -> ScoredCell:
        """The members' mean; a diverged member says 0 of every pair."""
        if (seed, fold) not in self._cells:
            pairs = average([m.cell(seed, fold).pairs for m in self.members])
            self._cells[seed, fold] = ScoredCell(pairs, primary(metrics(pairs), self.metric))
        return self._cells[seed, fold]

    def held_out_parts(self) -> dict[int, tuple[PairScores, ...]]:
        """Seed → mean of the members' held-out similarities, where all have them."""
        parts = [m.held_out_parts() for m in self.members]
        seeds = sorted(set.intersection(*(set(p) for p in parts)))
        return {s: average([p[s] for p in parts]) for s in seeds}


def trained_by(contender: Contender) -> tuple[Candidate, ...]:
    """What a contender trains: itself, or its members."""
    if isinstance(contender, Several):
        return contender.members
    return (contender,) if isinstance(contender, Candidate) else ()


def choose_committee(
    trials: Sequence[TrialRecord], asked: Confirmation, metric: str, by: Mapping[int, float] | None = None
) -> Committee | None:
    """The best finished trials of distinct configurations; None where none is asked for or fewer than three are.

    by: what they are ranked by, see :func:`~spectrosim_search.search.candidates.best_trials`.
    """
    members = choose_members(trials, asked, by)
    if not members:
        return None
    return Committee("committee", f"Committee of {len(members)} trials", "finalist", members, metric)


def choose_members(
    trials: Sequence[TrialRecord], asked: Confirmation, by: Mapping[int, float] | None = None
) -> tuple[Candidate, ...]:
    """Members of a committee, best first; none where none is asked for or fewer than three trials are finished."""
    chosen = best_trials(trials, asked.committee, by)
    if len(chosen) < SMALLEST:
        return ()
    seeds = committee_seeds(asked, len(chosen))
    return tuple(
        Candidate(f"trial-{t.number}", f"Trial {t.number}", "finalist", t.configuration, t.number, seeds)
        for t in chosen
        if t.configuration is not None
    )


def averaged_cells(
    search: Mapping[int, Sequence[ReplicateRecord]], trials: Sequence[int]
) -> list[tuple[PairScores, ...]]:
    """The mean of these trials' search replicates, in every cell that all of them have; of one trial its own."""
    each = [{r.cell: r.pairs for r in search.get(number, ())} for number in trials]
    shared = sorted(set.intersection(*(set(cells) for cells in each)))
    if len(each) == 1:
        return [each[0][c] for c in shared]
    return [average([cells[c] for cells in each]) for c in shared]


def committee_bias(
    search: Mapping[int, Sequence[ReplicateRecord]], size: int, units: NDArray[np.int64], metric: str, seed: int
) -> CommitteeBias:
    """What choosing the `size` best of these trials does to the score of their mean; see :func:`committee_bbc`.

    search: number of every COMPLETE trial → its search replicates. Of equal configurations one counts; a trial that
    lacks a cell (its worker ran out of memory there) cannot be averaged with the others and does not count.
    """
    cells = sorted({r.cell for replicates in search.values() for r in replicates})
    pool: dict[str, list[tuple[PairScores, ...]]] = {}
    for _, replicates in sorted(search.items()):
        by_cell = {r.cell: r.pairs for r in replicates}
        if len(by_cell) == len(cells) and replicates:
            pool.setdefault(replicates[0].configuration_id, [by_cell[c] for c in cells])
    return committee_bbc(pool, size, units, metric, seed=seed)
