"""What finalists, presets and the committee have in common: scored cells with fresh seeds."""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import choose_threshold

__all__ = ["Contender", "Method", "Score", "ScoredCell", "best_single", "pick_winner", "rankable"]

Method = list[tuple[PairScores, ...]]


@dataclass(frozen=True, eq=False)
class ScoredCell:
    """Scored pairs of one fold and seed, and the study's metric over them."""

    pairs: tuple[PairScores, ...]
    score: float


@dataclass
class Contender(ABC):
    """Something that a confirmation scores cell by cell."""

    name: str
    title: str
    kind: Literal["finalist", "preset"]
    competes: bool = field(default=True, kw_only=True)  # False: for comparison alone, and never the winner
    labels_choose: bool = field(default=False, kw_only=True)  # best by search score where that is not what chose

    @property
    @abstractmethod
    def identity(self) -> str:
        """Sixteen hexadecimal digits that name what was trained."""

    @property
    @abstractmethod
    def configurations(self) -> tuple[Configuration, ...]:
        """What is trained; several of a committee."""

    @property
    @abstractmethod
    def trials(self) -> tuple[int, ...]:
        """Trials it is made of, best first; none of a preset."""

    @abstractmethod
    def settings(self) -> str:
        """The choices that say most, on one line."""

    @abstractmethod
    def places(self) -> Collection[tuple[int, int]]:
        """(seed, fold) of every cell that has a score."""

    @abstractmethod
    def tried(self) -> Collection[tuple[int, int]]:
        """(seed, fold) of every cell that has ended, with a score or without."""

    @abstractmethod
    def cell(self, seed: int, fold: int) -> ScoredCell:
        """The scored cell of one of its places."""

    @abstractmethod
    def held_out_parts(self) -> dict[int, tuple[PairScores, ...]]:
        """Seed → held-out pairs as they were scored; empty before the winner is known."""

    @abstractmethod
    def chosen_epochs(self) -> list[int]:
        """Epochs that validation chose in all replicates."""

    @abstractmethod
    def epochs(self) -> int:
        """Median of the epochs that validation chose; at least one where something trains at all."""

    def complete_seeds(self, folds: int) -> list[int]:
        """Seeds of which every fold has ended with a score."""
        return _whole(self.places(), folds)

    def tried_seeds(self, folds: int) -> list[int]:
        """Seeds of which every fold has ended."""
        return _whole(self.tried(), folds)

    def cells(self, folds: int, seeds: Collection[int] | None = None) -> Method:
        """Scored pairs in the order seeds, then folds; of all complete seeds, or of those among `seeds`."""
        return [self.cell(s, f).pairs for s in self._among(folds, seeds) for f in range(folds)]

    def score(self, folds: int, seeds: Collection[int] | None = None) -> float:
        """Mean of the study's metric over seeds (all complete ones, or those among `seeds`) and folds."""
        known = [x for s in self._among(folds, seeds) for f in range(folds) if (x := self.cell(s, f).score) == x]
        return statistics.fmean(known) if known else float("nan")

    def seed_sd(self, folds: int) -> float:
        """Spread of the fold means over seeds: training noise. NaN below two seeds."""
        means = [statistics.fmean(self.cell(s, f).score for f in range(folds)) for s in self.complete_seeds(folds)]
        means = [m for m in means if m == m]
        return statistics.stdev(means) if len(means) > 1 else float("nan")

    def threshold(self) -> float:
        """Threshold over the out-of-fold pairs of all cells; NaN without any."""
        pairs = [p for place in sorted(self.places()) for p in self.cell(*place).pairs]
        if not pairs:
            return float("nan")
        return choose_threshold(
            np.concatenate([p.similarity for p in pairs]), np.concatenate([p.positive for p in pairs])
        )

    def held_out_cells(self) -> Method:
        """The held-out pairs of each seed, judged by the threshold of the out-of-fold pairs."""
        parts = self.held_out_parts()
        threshold = self.threshold() if parts else float("nan")
        return [tuple(replace(p, threshold=threshold) for p in parts[s]) for s in sorted(parts)]

    def _among(self, folds: int, seeds: Collection[int] | None) -> list[int]:
        return [s for s in self.complete_seeds(folds) if seeds is None or s in seeds]


def _whole(places: Collection[tuple[int, int]], folds: int) -> list[int]:
    seeds = sorted({seed for seed, _ in places})
    return [s for s in seeds if all((s, f) in places for f in range(folds))]


Score = Callable[[Contender, Collection[int] | None], float]  # over seeds; None: all complete ones


def best_single(contenders: Collection[Contender], folds: int, score: Score | None = None) -> Contender | None:
    """The finalist of one trial that scores best over its fresh seeds, the earlier trial where two are level."""
    own = score or _mean_over(folds)
    singles = [c for c in _competing(contenders, folds) if len(c.trials) == 1]
    return max(singles, key=lambda c: (rankable(own(c, None)), -c.trials[0]), default=None)


def pick_winner(
    contenders: Collection[Contender],
    folds: int,
    taken_off: Callable[[Contender], float],
    score: Score | None = None,
) -> Contender:
    """The single finalist with the best score over its fresh seeds, or the committee where it is ahead of that one.

    A committee has fewer seeds, and every seed halves the folds anew: the two are compared on the seeds both have, so
    that the luck of the halving is the same for both, and less what choosing them among the trials is known to have
    added (`taken_off`). score: where it is not the mean over cells. Raises RunError where no finalist has a complete
    seed.
    """
    own = score or _mean_over(folds)
    committee = next((c for c in _competing(contenders, folds) if len(c.trials) > 1), None)
    best = best_single(contenders, folds, score)
    if best is None or committee is None:
        alone = best or committee
        if alone is None:
            raise RunError(
                "no finalist has a complete seed: give the study more time (--minutes) or more trials (--trials)"
            )
        return alone
    shared = set(best.complete_seeds(folds)) & set(committee.complete_seeds(folds))
    several, single = (rankable(own(c, shared) - taken_off(c)) for c in (committee, best))
    return committee if several > single else best


def _competing(contenders: Collection[Contender], folds: int) -> list[Contender]:
    return [c for c in contenders if c.kind == "finalist" and c.competes and c.complete_seeds(folds)]


def _mean_over(folds: int) -> Score:
    return lambda c, seeds: c.score(folds, seeds)


def rankable(score: float) -> float:
    """An undefined score ranks below all others."""
    return score if score == score else -1.0
