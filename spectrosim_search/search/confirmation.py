"""The end of a study: finalists and presets with fresh seeds, the reference rows, statistics, verdict.

With corrected-cv the finalists are scored on the search's folds by models with fresh training seeds, and the winner's
score is
corrected for its selection over groups (`evaluation.bootstrap.bbc`). With a hold-out the winner and the presets are
trained again on all searched groups, for the number of epochs that validation chose, and score the held-out groups
once.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.evaluation.bootstrap import bbc
from spectrosim_search.evaluation.scores import Estimate, PairScores
from spectrosim_search.evaluation.statistics import Difference, holm, jackknife, paired_difference
from spectrosim_search.evaluation.verdict import decide
from spectrosim_search.evaluation.verification import METRICS, choose_threshold
from spectrosim_search.protocol.leakage import audit
from spectrosim_search.search.records import (
    ConfirmationRecord,
    MethodRow,
    ReplicateRecord,
    TrialRecord,
    VerdictRecord,
)
from spectrosim_search.search.reference import ReferenceScores, reference_names, score_reference
from spectrosim_search.search.workbench import Workbench, WorkItem

__all__ = ["Candidate", "choose_candidates", "conclude", "confirm_items", "held_out_items", "pick_winner"]

Method = list[tuple[PairScores, ...]]


@dataclass
class Candidate:
    """A finalist or a preset on its way through the confirmation."""

    name: str
    title: str
    kind: str  # finalist | preset
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
        """Median of the epochs that validation chose, at least one."""
        chosen = [e for r in self.replicates.values() for e in r.chosen_epochs]
        return max(1, round(statistics.median(chosen))) if chosen else 1


def choose_candidates(
    trials: Sequence[TrialRecord],
    presets: Mapping[str, Configuration],
    *,
    finalists: int,
    seeds: int,
    preset_seeds: int,
) -> list[Candidate]:
    """The best finished trials (distinct configurations) and the presets."""
    finished = [t for t in trials if t.state == "COMPLETE" and t.configuration is not None and t.value is not None]
    finished.sort(key=lambda t: (-(t.value or 0.0), t.number))
    out: list[Candidate] = []
    seen: set[str] = set()
    for t in finished:
        if len(out) == finalists:
            break
        if t.configuration_id in seen or t.configuration is None:
            continue
        seen.add(t.configuration_id)
        out.append(Candidate(f"trial-{t.number}", f"Trial {t.number}", "finalist", t.configuration, t.number, seeds))
    for name, configuration in presets.items():
        out.append(Candidate(name, f"Preset {name}", "preset", configuration, None, preset_seeds))
    return out


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
    return max(finalists, key=lambda c: (_rankable(c.score(folds)), -(c.trial or 0)))


def _rankable(score: float) -> float:
    return score if score == score else -1.0


def conclude(
    workbench: Workbench,
    candidates: Sequence[Candidate],
    search: Mapping[int, Sequence[ReplicateRecord]],
    *,
    on_step: Callable[[str], None] | None = None,
) -> tuple[ConfirmationRecord, list[ReferenceScores]]:
    """Statistics over everything that was trained.

    `search` maps the number of every COMPLETE trial to its search replicates in cell order: the selection that has to
    be corrected for. Raises RunError when no finalist has a complete seed.
    """
    study, design, spectra = workbench.study, workbench.design, workbench.spectra
    folds, units = design.folds, design.units
    say = on_step or (lambda _: None)
    winner = pick_winner(candidates, folds)
    finalists = [c for c in candidates if c.kind == "finalist" and c.complete_seeds(folds)]
    seeds = winner.complete_seeds(folds)
    metric = _defined_metric(winner.cells(folds), units, study.metric)

    references: list[ReferenceScores] = []
    for name in reference_names(study, spectra):
        say(f"reference row {name}")
        references.append(score_reference(name, study, spectra, design, seeds))
    tested = [r for r in references if r.name not in ("oracle", "union-find")]

    say("intervals and verdict")
    held_out = design.hold_out is not None
    # With a hold-out the best baseline is the one that leads on the searched groups.
    best = max(tested, key=lambda r: _rankable(jackknife(r.cells, units, metric).value), default=None)
    winner_cells = _held_out_cells(winner) if held_out else winner.cells(folds)
    reference_cells = {r.name: (r.held_out if held_out else r.cells) for r in references}
    optimism, reference_optimism = 0.0, 0.0
    if not held_out:
        # Fresh seeds remove the luck of training, this the luck of the groups that the search selected on.
        selection = {str(n): [r.pairs for r in rs] for n, rs in search.items() if rs}
        if len(selection) > 1:
            optimism = _known(bbc(selection, units, metric, seed=study.seed).optimism)
        if len(tested) > 1:
            reference_optimism = _known(bbc({r.name: r.cells for r in tested}, units, metric, seed=study.seed).optimism)

    rows: list[MethodRow] = []
    compared = [winner] if held_out else finalists
    differences: dict[tuple[str, str], Difference] = {}
    for c in compared:
        cells = _held_out_cells(c) if held_out else c.cells(folds)
        for r in tested:
            found = paired_difference(cells, reference_cells[r.name], units, metric)
            shift = -optimism + (reference_optimism if r is best else 0.0)
            differences[c.name, r.name] = found.shifted(shift)
    adjusted = dict(zip(differences, holm([d.p for d in differences.values()])))

    for c in candidates:
        cells = _held_out_cells(c) if held_out else c.cells(folds)
        if not cells:
            continue
        estimates = {m: jackknife(cells, units, m) for m in METRICS}
        selected = c.kind == "finalist"
        if selected:  # all finalists were chosen on these groups
            estimates[metric] = _shift(estimates[metric], -optimism)
        rows.append(
            MethodRow(
                name="winner" if c is winner else c.name,
                title=f"Winner ({c.title.lower()})" if c is winner else c.title,
                kind="winner" if c is winner else ("preset" if c.kind == "preset" else "finalist"),
                configuration_id=c.configuration.identity,
                seeds=len(c.complete_seeds(folds)),
                metrics=estimates,
                seed_sd=_seed_sd(c, folds),
                difference=None
                if c is winner
                else _difference(winner_cells, cells, units, metric, 0.0 if selected else -optimism),
                p_adjusted=float("nan"),
                settings=_summary(c.configuration),
                note=f"corrected for its selection by {optimism:.3f}" if selected and optimism > 0 else "",
            )
        )
    for r in references:
        cells = reference_cells[r.name]
        kind = {"oracle": "oracle", "union-find": "audit"}.get(r.name, "baseline")
        rows.append(
            MethodRow(
                name=r.name,
                title=r.title,
                kind=kind,  # type: ignore[arg-type]  # one of the literals by construction
                configuration_id="",
                seeds=0,
                metrics={m: jackknife(cells, units, m) for m in METRICS},
                seed_sd=float("nan"),
                difference=(
                    differences[winner.name, r.name].estimate
                    if (winner.name, r.name) in differences
                    else _difference(winner_cells, cells, units, metric, -optimism)
                ),
                p_adjusted=adjusted.get((winner.name, r.name), float("nan")),
                settings=r.settings,
            )
        )
    order = {"winner": 0, "finalist": 1, "preset": 2, "baseline": 3, "oracle": 4, "audit": 5}
    rows.sort(key=lambda row: order[row.kind])

    export_kind: Literal["model", "linear-metric"] = "model"
    if best is None:
        nothing = Estimate(float("nan"), note="no baseline in the study")
        sentence = "Cannot tell: the study asked for no baseline."
        verdict = VerdictRecord("cannot tell", sentence, nothing, "", optimism)
    else:
        delta = differences[winner.name, best.name]
        decision = decide(
            delta.estimate,
            best_baseline=best.name,
            best_title=best.title,
            metric=metric,
            groups=delta.degrees + 1,
            p=adjusted[winner.name, best.name],
        )
        verdict = VerdictRecord(decision.outcome, decision.sentence, delta.estimate, best.name, optimism)
        export_kind = decision.export_kind
    leak = audit(design, seeds)
    record = ConfirmationRecord(
        created_at=time.time(),
        scoring="hold-out" if held_out else "corrected-cv",
        metric=metric,
        rows=tuple(rows),
        verdict=verdict,
        winner_trial=winner.trial if winner.trial is not None else -1,
        winner_configuration_id=winner.configuration.identity,
        export_kind=export_kind,
        leakage={"auc": leak.auc, "balanced_accuracy": leak.balanced_accuracy, "expected": leak.expected},
        threshold=_threshold(winner),
        epochs=winner.epochs(),
        pairs=tuple(p for cell in winner_cells[: 3 * folds] for p in cell),
        embedding=np.zeros((0, 2), dtype=np.float32),
        warnings=tuple(design.warnings),
    )
    return record, references


def _defined_metric(cells: Method, units: NDArray[np.int64], metric: str) -> str:
    """Matched-label AUC needs strata with both kinds of pairs; where there are none, AUC over all pairs."""
    if metric != "matched_auc":
        return metric
    value = jackknife(cells, units, metric).value
    return metric if value == value else "auc"


def _known(value: float) -> float:
    return value if value == value else 0.0


def _difference(a: Method, b: Method, units: NDArray[np.int64], metric: str, shift: float) -> Estimate:
    return paired_difference(a, b, units, metric).shifted(shift).estimate


def _shift(e: Estimate, by: float) -> Estimate:
    return replace(e, value=e.value + by, low=e.low + by, high=e.high + by)


def _held_out_cells(c: Candidate) -> Method:
    """The held-out pairs of each seed, with the threshold of the candidate's out-of-fold pairs."""
    threshold = _threshold(c)
    return [tuple(replace(p, threshold=threshold) for p in c.held_out[s].pairs) for s in sorted(c.held_out)]


def _threshold(c: Candidate) -> float:
    pairs = [p for r in c.replicates.values() for p in r.pairs]
    if not pairs:
        return float("nan")
    return choose_threshold(np.concatenate([p.similarity for p in pairs]), np.concatenate([p.positive for p in pairs]))


def _seed_sd(c: Candidate, folds: int) -> float:
    means = [statistics.fmean(c.replicates[s, f].score for f in range(folds)) for s in c.complete_seeds(folds)]
    means = [m for m in means if m == m]
    return statistics.stdev(means) if len(means) > 1 else float("nan")


def _summary(c: Configuration) -> str:
    augmentations = "+".join(a.type for a in c.augmentations) or "no augmentation"
    temperature = c.objective.get("temperature")
    return (
        f"{c.encoder.type}, {c.head.type} head, positives from {c.positives.source}, "
        f"temperature {temperature:.3g}, batch {c.training.batch_size}, {c.preprocessing.intensity}, {augmentations}"
    )
