"""Finalists and presets on their way through a confirmation, and what each of them has to train."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.evaluation.class_statistics import CLASS_METRICS, ClassMethod
from spectrosim_search.evaluation.scores import MixtureScores, PairScores
from spectrosim_search.search.bench import Bench
from spectrosim_search.search.contenders import Contender, ScoredCell
from spectrosim_search.search.programs import trains_encoder
from spectrosim_search.search.records import ReplicateRecord, TrialRecord
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.spectra.preprocessing import describe

__all__ = ["Candidate", "best_trials", "choose_candidates", "confirm_items", "held_out_items", "within"]


@dataclass
class Candidate(Contender):
    """One configuration: a finalist, a preset, or a member of the committee."""

    configuration: Configuration
    trial: int | None
    seeds: int
    replicates: dict[tuple[int, int], ReplicateRecord] = field(default_factory=dict)  # (seed, fold)
    failed: set[tuple[int, int]] = field(default_factory=set)
    held_out: dict[int, ReplicateRecord] = field(default_factory=dict)  # seed

    def add(self, record: ReplicateRecord) -> None:
        """Take in one ended replicate; one that failed leaves its seed incomplete."""
        if record.phase == "hold-out":
            self.held_out[record.seed] = record
        elif record.pairs or record.classes:
            self.replicates[record.seed, record.fold] = record
        else:
            self.failed.add((record.seed, record.fold))

    @property
    def identity(self) -> str:
        """The configuration's."""
        return self.configuration.identity

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """The one."""
        return (self.configuration,)

    @property
    def trials(self) -> tuple[int, ...]:
        """The one, or none of a preset."""
        return () if self.trial is None else (self.trial,)

    def settings(self) -> str:
        """Encoder, head, preprocessing and how it is trained; what is fitted and not trained has fewer choices."""
        return _summary(self.configuration)

    def places(self) -> Collection[tuple[int, int]]:
        """(seed, fold) of the replicates that have a score."""
        return self.replicates.keys()

    def tried(self) -> Collection[tuple[int, int]]:
        """(seed, fold) of the replicates that have ended."""
        return self.replicates.keys() | self.failed

    def cell(self, seed: int, fold: int) -> ScoredCell:
        """The replicate's pairs and score; a diverged one scores chance."""
        record = self.replicates[seed, fold]
        return ScoredCell(record.pairs, record.score)

    def class_method(self, folds: int) -> ClassMethod:
        """Named classes of every complete seed, all folds together (tasks that name a class)."""
        return [
            tuple(c for f in range(folds) for c in self.replicates[s, f].classes) for s in self.complete_seeds(folds)
        ]

    def held_out_classes(self) -> ClassMethod:
        """Named classes of the held-out spectra, by seed."""
        return [self.held_out[s].classes for s in sorted(self.held_out) if self.held_out[s].classes]

    def mixtures(self, *, held_out: bool) -> list[MixtureScores]:
        """Components that were named for mixtures, of all replicates."""
        return [m for r in self._judged(held_out) for m in r.mixtures]

    def details(self, *, held_out: bool) -> dict[str, float]:
        """Further numbers of the program, each averaged over the replicates that have it."""
        records = self._judged(held_out)
        names = dict.fromkeys(name for r in records for name in r.metrics if name not in CLASS_METRICS)
        means = {n: [r.metrics[n] for r in records if n in r.metrics and r.metrics[n] == r.metrics[n]] for n in names}
        return {n: statistics.fmean(values) for n, values in means.items() if values}

    def _judged(self, held_out: bool) -> list[ReplicateRecord]:
        return list((self.held_out if held_out else self.replicates).values())

    def held_out_parts(self) -> dict[int, tuple[PairScores, ...]]:
        """Seed → held-out pairs."""
        return {seed: r.pairs for seed, r in self.held_out.items() if r.pairs}

    def chosen_epochs(self) -> list[int]:
        """Two of every replicate."""
        return [e for r in self.replicates.values() for e in r.chosen_epochs]

    def epochs(self) -> int:
        """Median of the epochs that validation chose; at least one where the configuration trains at all."""
        least = min(1, self.configuration.training.epochs)
        chosen = self.chosen_epochs()
        return max(least, round(statistics.median(chosen))) if chosen else least


def best_trials(trials: Sequence[TrialRecord], count: int, by: Mapping[int, float] | None = None) -> list[TrialRecord]:
    """The `count` best finished trials of distinct configurations, best first.

    by: trial number → what they are ranked by, the higher the better, trials it lacks left out; None: their scores.
    """
    finished = [t for t in trials if t.state == "COMPLETE" and t.configuration is not None and t.value is not None]
    if by is not None:
        finished = [t for t in finished if t.number in by]
    finished.sort(key=lambda t: (-((t.value or 0.0) if by is None else by[t.number]), t.number))
    first: dict[str, TrialRecord] = {}
    for t in finished:
        first.setdefault(t.configuration_id, t)
    return list(first.values())[:count]


def choose_candidates(
    trials: Sequence[TrialRecord],
    presets: Mapping[str, Configuration],
    *,
    finalists: int,
    seeds: int,
    preset_seeds: int,
    further: Sequence[TrialRecord] = (),
    by: Mapping[int, float] | None = None,
) -> list[Candidate]:
    """The best finished trials (distinct configurations), those of `further` that are not among them, the presets.

    The winner is whoever scores best with fresh seeds, wherever it came from. by: see :func:`best_trials`; where it is
    given, the trial that labels would choose is marked, and stands beside the finalists without competing with them.
    """
    out: list[Candidate] = []
    seen: set[str] = set()
    labels = best_trials(trials, 1) if by is not None else []
    chosen = [*best_trials(trials, finalists, by), *further]
    own = {t.configuration_id for t in chosen}
    for t in (*chosen, *labels):
        if t.configuration_id in seen or t.configuration is None:
            continue
        seen.add(t.configuration_id)
        of_labels = any(t.configuration_id == one.configuration_id for one in labels)
        out.append(
            Candidate(
                f"trial-{t.number}",
                f"Trial {t.number}" + (", what labels choose" if of_labels else ""),
                "finalist",
                t.configuration,
                t.number,
                seeds,
                competes=t.configuration_id in own,
                labels_choose=of_labels,
            )
        )
    for name, configuration in presets.items():
        out.append(Candidate(name, f"Preset {name}", "preset", configuration, None, preset_seeds))
    return out


def confirm_items(candidates: Sequence[Candidate], bench: Bench) -> list[tuple[Candidate, WorkItem]]:
    """All replicates of the confirmation, seed by seed, so that a budget cuts off whole seeds of everyone."""
    folds = bench.folds
    each = [(c, bench.confirmation_items(c.configuration, c.seeds, c.trial)) for c in candidates]
    out: list[tuple[Candidate, WorkItem]] = []
    for i in range(max((c.seeds for c in candidates), default=0)):
        for c, items in each:
            out += [(c, item) for item in items[i * folds : (i + 1) * folds]]
    return out


def within(work: Sequence[tuple[Candidate, WorkItem]], allowed: int | None) -> list[tuple[Candidate, WorkItem]]:
    """The first `allowed` replicates (all for None), for everyone who needs them: a trial may be a finalist and a
    member of the committee, and is trained once."""
    keys = list(dict.fromkeys(item.key for _, item in work))[:allowed]
    kept = set(keys)
    return [(c, item) for c, item in work if item.key in kept]


def held_out_items(candidates: Sequence[Candidate], bench: Bench) -> list[tuple[Candidate, WorkItem]]:
    """Replicates trained on all searched groups that score the held-out pairs, once the winner is known."""
    out: list[tuple[Candidate, WorkItem]] = []
    for c in candidates:
        seeds = len(c.complete_seeds(bench.folds))
        items = bench.hold_out_items(c.configuration, seeds, c.epochs(), c.trial)
        out += [(c, item) for item in items]
    return out


def _summary(c: Configuration) -> str:
    if c.program is not None:
        program = registry.load("search.programs", c.program.type)
        usual = program.Settings()  # what stands at its default is left out
        changed = [(name, value) for name, value in c.program if value != getattr(usual, name)]
        chosen = [f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}" for name, value in changed]
        network = [c.encoder.type] if trains_encoder(c) else []
        if network and c.training.epochs == 0:
            chosen.append("training.epochs 0")
        return ", ".join([c.program.type, *network, describe(c.preprocessing), *chosen])
    encoder = c.encoder.type
    if c.encoder.get("branch", "none") != "none":
        encoder += f" + {c.encoder['branch']}"
    if c.training.members > 1:
        encoder += f" x {c.training.members}"
    read = [encoder, f"{c.head.type} head", describe(c.preprocessing)]
    if c.training.comparison != "cosine":
        read.append(f"compared by {c.training.comparison.replace('plda', 'PLDA').replace('euclidean', 'distance')}")
    if rounds := c.training.comparison_rounds:
        read.append(f"on a sphere ({rounds} {'round' if rounds == 1 else 'rounds'})")
    if near := c.training.comparison_neighbours:
        read.append(f"less {near} nearest {'group' if near == 1 else 'groups'}")
    if c.training.epochs == 0:
        return ", ".join([*read, "not trained"])
    objective = c.objective.type
    if (temperature := c.objective.get("temperature")) is not None:
        objective += f" at temperature {temperature:.3g}"
    augmentations = "+".join(a.type for a in c.augmentations) or "no augmentation"
    return ", ".join(
        [*read, objective, f"positives from {c.positives.source}", f"batch {c.training.batch_size}", augmentations]
    )
