"""Finalists and presets on their way through a confirmation, and what each of them has to train."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import choose_threshold
from spectrosim_search.search.records import ReplicateRecord, TrialRecord
from spectrosim_search.search.workbench import Workbench, WorkItem

__all__ = [
    "Candidate",
    "choose_candidates",
    "confirm_items",
    "held_out_items",
    "pick_winner",
    "rankable",
]

Method = list[tuple[PairScores, ...]]


@dataclass
class Candidate:
    """A finalist or a preset on its way through the confirmation."""

    name: str
    title: str
    kind: Literal["finalist", "preset"]
    configuration: Configuration
    trial: int | None
    seeds: int
    replicates: dict[tuple[int, int], ReplicateRecord] = field(default_factory=dict)  # (seed, fold)
    held_out: dict[int, ReplicateRecord] = field(default_factory=dict)  # seed

    def add(self, record: ReplicateRecord) -> None:
        """Take in one ended replicate; one that failed leaves its seed incomplete."""
        if record.phase == "hold-out":
            self.held_out[record.seed] = record
        elif record.pairs:
            self.replicates[record.seed, record.fold] = record

    def complete_seeds(self, folds: int) -> list[int]:
        """Seeds of which every fold has ended with a score."""
        seeds = sorted({seed for seed, _ in self.replicates})
        return [s for s in seeds if all((s, f) in self.replicates for f in range(folds))]

    def cells(self, folds: int) -> Method:
        """Scored pairs in the order seeds, then folds."""
        return [self.replicates[s, f].pairs for s in self.complete_seeds(folds) for f in range(folds)]

    def score(self, folds: int) -> float:
        """Mean of the study's metric over complete seeds and folds."""
        scores = [self.replicates[s, f].score for s in self.complete_seeds(folds) for f in range(folds)]
        known = [s for s in scores if s == s]
        return statistics.fmean(known) if known else float("nan")

    def epochs(self) -> int:
        """Median of the epochs that validation chose; at least one where the configuration trains at all."""
        least = min(1, self.configuration.training.epochs)
        chosen = [e for r in self.replicates.values() for e in r.chosen_epochs]
        return max(least, round(statistics.median(chosen))) if chosen else least

    def threshold(self) -> float:
        """Threshold over the out-of-fold pairs of all replicates; NaN without any."""
        pairs = [p for r in self.replicates.values() for p in r.pairs]
        if not pairs:
            return float("nan")
        return choose_threshold(
            np.concatenate([p.similarity for p in pairs]), np.concatenate([p.positive for p in pairs])
        )

    def held_out_cells(self) -> Method:
        """The held-out pairs of each seed, judged by the threshold of the out-of-fold pairs."""
        threshold = self.threshold()
        return [tuple(replace(p, threshold=threshold) for p in self.held_out[s].pairs) for s in sorted(self.held_out)]

    def seed_sd(self, folds: int) -> float:
        """Spread of the fold means over seeds: training noise. NaN below two seeds."""
        means = [
            statistics.fmean(self.replicates[s, f].score for f in range(folds)) for s in self.complete_seeds(folds)
        ]
        means = [m for m in means if m == m]
        return statistics.stdev(means) if len(means) > 1 else float("nan")


def choose_candidates(
    trials: Sequence[TrialRecord],
    presets: Mapping[str, Configuration],
    *,
    finalists: int,
    seeds: int,
    preset_seeds: int,
    further: Sequence[TrialRecord] = (),
) -> list[Candidate]:
    """The best finished trials (distinct configurations), those of `further` that are not among them, the presets.

    The winner is whoever scores best with fresh seeds, wherever it came from.
    """
    finished = [t for t in trials if t.state == "COMPLETE" and t.configuration is not None and t.value is not None]
    finished.sort(key=lambda t: (-(t.value or 0.0), t.number))
    out: list[Candidate] = []
    seen: set[str] = set()
    for t in (*_best(finished, finalists), *further):
        if t.configuration_id in seen or t.configuration is None:
            continue
        seen.add(t.configuration_id)
        out.append(Candidate(f"trial-{t.number}", f"Trial {t.number}", "finalist", t.configuration, t.number, seeds))
    for name, configuration in presets.items():
        out.append(Candidate(name, f"Preset {name}", "preset", configuration, None, preset_seeds))
    return out


def _best(ranked: Sequence[TrialRecord], count: int) -> list[TrialRecord]:
    """The first `count` trials of distinct configurations."""
    first: dict[str, TrialRecord] = {}
    for t in ranked:
        first.setdefault(t.configuration_id, t)
    return list(first.values())[:count]


def confirm_items(candidates: Sequence[Candidate], workbench: Workbench) -> list[tuple[Candidate, WorkItem]]:
    """All replicates of the confirmation, seed by seed, so that a budget cuts off whole seeds of everyone."""
    folds = workbench.design.folds
    each = [(c, workbench.confirmation_items(c.configuration, c.seeds, c.trial)) for c in candidates]
    out: list[tuple[Candidate, WorkItem]] = []
    for i in range(max((c.seeds for c in candidates), default=0)):
        for c, items in each:
            out += [(c, item) for item in items[i * folds : (i + 1) * folds]]
    return out


def held_out_items(candidates: Sequence[Candidate], workbench: Workbench) -> list[tuple[Candidate, WorkItem]]:
    """Replicates trained on all searched groups that score the held-out pairs, once the winner is known."""
    out: list[tuple[Candidate, WorkItem]] = []
    for c in candidates:
        seeds = len(c.complete_seeds(workbench.design.folds))
        items = workbench.hold_out_items(c.configuration, seeds, c.epochs(), c.trial)
        out += [(c, item) for item in items]
    return out


def pick_winner(candidates: Sequence[Candidate], folds: int) -> Candidate:
    """The finalist with the best score over its fresh seeds."""
    finalists = [c for c in candidates if c.kind == "finalist" and c.complete_seeds(folds)]
    if not finalists:
        raise RunError(
            "no finalist has a complete seed: give the study more time (--minutes) or more trials (--trials)"
        )
    return max(finalists, key=lambda c: (rankable(c.score(folds)), -(c.trial or 0)))


def rankable(score: float) -> float:
    """An undefined score ranks below all others."""
    return score if score == score else -1.0
