"""What a confirmation says: the result table with intervals, the correction for the selection, the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.evaluation.bootstrap import bbc
from spectrosim_search.evaluation.scores import Estimate, PairScores
from spectrosim_search.evaluation.statistics import Difference, holm, jackknife, paired_difference
from spectrosim_search.evaluation.verdict import decide
from spectrosim_search.evaluation.verification import METRICS
from spectrosim_search.protocol.leakage import audit
from spectrosim_search.search.candidates import Candidate, pick_winner, rankable
from spectrosim_search.search.records import ConfirmationRecord, MethodRow, ReplicateRecord, VerdictRecord
from spectrosim_search.search.reference import (
    KEPT_SEEDS,
    ReferenceScores,
    baselines_of,
    method_row,
    reference_names,
    score_reference,
)
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.preprocessing import describe

__all__ = ["conclude"]

Method = list[tuple[PairScores, ...]]
ORDER = ("winner", "finalist", "preset", "baseline", "oracle", "audit")


@dataclass(frozen=True)
class _Comparison:
    """Everything that is compared: one metric, one set of judged pairs, all methods over them."""

    metric: str
    units: NDArray[np.int64]
    folds: int
    held_out: bool
    winner: Candidate
    candidates: Sequence[Candidate]
    references: Sequence[ReferenceScores]
    optimism: float  # of the search's selection; 0 with a hold-out
    reference_optimism: float  # of choosing the best baseline; 0 with a hold-out

    def cells(self, method: Candidate | ReferenceScores) -> Method:
        """The scored pairs that judge a method."""
        if isinstance(method, Candidate):
            return method.held_out_cells() if self.held_out else method.cells(self.folds)
        return method.held_out if self.held_out else method.cells

    def score(self, cells: Method) -> float:
        """The study's metric."""
        return jackknife(cells, self.units, self.metric).value

    def difference(self, a: Method, b: Method, shift: float) -> Difference:
        """a - b, paired over groups, its centre moved by what selections are known to have done."""
        return paired_difference(a, b, self.units, self.metric).shifted(shift)

    @property
    def baselines(self) -> list[ReferenceScores]:
        """Reference rows that a winner is tested against: not the ceiling, not the audit."""
        return baselines_of(self.references)

    @property
    def best(self) -> ReferenceScores | None:
        """The baseline that leads on the out-of-fold pairs of the searched groups."""
        return max(self.baselines, key=lambda r: rankable(self.score(r.cells)), default=None)


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
    say = on_step or (lambda _: None)
    study, design = workbench.study, workbench.design
    winner = pick_winner(candidates, design.folds)
    seeds = winner.complete_seeds(design.folds)
    references: list[ReferenceScores] = []
    for name in reference_names(study, workbench.spectra):
        say(f"reference row {name}")
        references.append(score_reference(name, study, workbench.spectra, design, seeds))
    say("intervals and verdict")
    compared = _compare(workbench, candidates, winner, references, search)
    tests = _tests(compared)
    verdict, export_kind = _verdict(compared, tests)
    rows = [*_candidate_rows(compared), *_reference_rows(compared, tests)]
    leak = audit(design, seeds)
    record = ConfirmationRecord(
        created_at=time.time(),
        scoring="hold-out" if compared.held_out else "corrected-cv",
        metric=compared.metric,
        rows=tuple(sorted(rows, key=lambda row: ORDER.index(row.kind))),
        verdict=verdict,
        winner_trial=winner.trial if winner.trial is not None else -1,
        winner_configuration_id=winner.configuration.identity,
        export_kind=export_kind,
        leakage={"auc": leak.auc, "balanced_accuracy": leak.balanced_accuracy, "expected": leak.expected},
        threshold=winner.threshold(),
        epochs=winner.epochs(),
        pairs=tuple(p for cell in compared.cells(winner)[: KEPT_SEEDS * design.folds] for p in cell),
        embedding=np.zeros((0, 2), dtype=np.float32),
        warnings=tuple(design.warnings),
        group_names=tuple(design.codes.group_names),
        group_codes=design.groups,
    )
    return record, references


def _compare(
    workbench: Workbench,
    candidates: Sequence[Candidate],
    winner: Candidate,
    references: Sequence[ReferenceScores],
    search: Mapping[int, Sequence[ReplicateRecord]],
) -> _Comparison:
    study, design = workbench.study, workbench.design
    units = design.units
    metric = _defined_metric(winner.cells(design.folds), units, study.metric)
    compared = _Comparison(
        metric=metric,
        units=units,
        folds=design.folds,
        held_out=design.hold_out is not None,
        winner=winner,
        candidates=candidates,
        references=references,
        optimism=0.0,
        reference_optimism=0.0,
    )
    if compared.held_out:
        return compared
    # Fresh seeds remove the luck of training; this removes the luck of the groups that the search selected on.
    selection = {str(n): [r.pairs for r in rs] for n, rs in search.items() if rs}
    baselines = {r.name: r.cells for r in compared.baselines}
    return replace(
        compared,
        optimism=_optimism(selection, units, metric, study.seed),
        reference_optimism=_optimism(baselines, units, metric, study.seed),
    )


def _optimism(methods: Mapping[str, Method], units: NDArray[np.int64], metric: str, seed: int) -> float:
    if len(methods) < 2:
        return 0.0
    found = bbc(methods, units, metric, seed=seed).optimism
    return found if found == found else 0.0


def _defined_metric(cells: Method, units: NDArray[np.int64], metric: str) -> str:
    """Matched-label AUC needs strata with both kinds of pairs; where there are none, AUC over all pairs."""
    if metric != "matched_auc":
        return metric
    value = jackknife(cells, units, metric).value
    return metric if value == value else "auc"


def _tests(compared: _Comparison) -> dict[tuple[str, str], tuple[Difference, float]]:
    """Difference and Holm-adjusted p of every finalist against every baseline; with a hold-out, of the winner alone."""
    finalists = [c for c in compared.candidates if c.kind == "finalist" and (compared.cells(c))]
    judged = [compared.winner] if compared.held_out else finalists
    best = compared.best
    differences: dict[tuple[str, str], Difference] = {}
    for c in judged:
        for r in compared.baselines:
            shift = -compared.optimism + (compared.reference_optimism if r is best else 0.0)
            differences[c.name, r.name] = compared.difference(compared.cells(c), compared.cells(r), shift)
    adjusted = holm([d.p for d in differences.values()])
    return {key: (d, p) for (key, d), p in zip(differences.items(), adjusted)}


def _verdict(
    compared: _Comparison, tests: Mapping[tuple[str, str], tuple[Difference, float]]
) -> tuple[VerdictRecord, Literal["model", "linear-metric", "none"]]:
    best = compared.best
    if best is None:
        nothing = Estimate(float("nan"), note="no baseline in the study")
        sentence = "Cannot tell: the study asked for no baseline."
        return VerdictRecord("cannot tell", sentence, nothing, "", compared.optimism), "model"
    difference, p = tests[compared.winner.name, best.name]
    decision = decide(
        difference.estimate,
        best_baseline=best.name,
        best_title=best.title,
        metric=compared.metric,
        groups=difference.degrees + 1,
        p=p,
    )
    record = VerdictRecord(decision.outcome, decision.sentence, difference.estimate, best.name, compared.optimism)
    return record, decision.export_kind


def _candidate_rows(compared: _Comparison) -> list[MethodRow]:
    winner, optimism = compared.winner, compared.optimism
    rows: list[MethodRow] = []
    for c in compared.candidates:
        cells = compared.cells(c)
        if not cells:
            continue
        estimates = {m: jackknife(cells, compared.units, m) for m in METRICS}
        selected = c.kind == "finalist"
        if selected:  # all finalists were chosen on these groups
            estimates[compared.metric] = _shift(estimates[compared.metric], -optimism)
        shift = 0.0 if selected else -optimism
        rows.append(
            MethodRow(
                name="winner" if c is winner else c.name,
                title=f"Winner ({c.title.lower()})" if c is winner else c.title,
                kind="winner" if c is winner else c.kind,
                configuration_id=c.configuration.identity,
                seeds=len(c.complete_seeds(compared.folds)),
                metrics=estimates,
                seed_sd=c.seed_sd(compared.folds),
                difference=None if c is winner else compared.difference(compared.cells(winner), cells, shift).estimate,
                p_adjusted=float("nan"),
                settings=_summary(c.configuration),
                note=f"corrected for its selection by {optimism:.3f}" if selected and optimism > 0 else "",
            )
        )
    return rows


def _reference_rows(
    compared: _Comparison, tests: Mapping[tuple[str, str], tuple[Difference, float]]
) -> list[MethodRow]:
    rows: list[MethodRow] = []
    best = compared.best
    for r in compared.references:
        cells = compared.cells(r)
        untested = compared.difference(compared.cells(compared.winner), cells, -compared.optimism), float("nan")
        difference, p = tests.get((compared.winner.name, r.name), untested)
        lowered = compared.reference_optimism if r is best else 0.0
        note = f"compared {lowered:.3f} lower, for it was chosen as the best of these" if lowered > 0 else ""
        rows.append(method_row(r, cells, compared.units, difference=difference.estimate, p_adjusted=p, note=note))
    return rows


def _shift(e: Estimate, by: float) -> Estimate:
    return replace(e, value=e.value + by, low=e.low + by, high=e.high + by)


def _summary(c: Configuration) -> str:
    """The choices that say most, on one line; a model that is fitted and not trained has fewer of them."""
    encoder = c.encoder.type
    if c.encoder.get("branch", "none") != "none":
        encoder += f" + {c.encoder['branch']}"
    if c.training.members > 1:
        encoder += f" x {c.training.members}"
    read = [encoder, f"{c.head.type} head", describe(c.preprocessing)]
    if c.training.epochs == 0:
        return ", ".join([*read, "not trained"])
    objective = c.objective.type
    if (temperature := c.objective.get("temperature")) is not None:
        objective += f" at temperature {temperature:.3g}"
    augmentations = "+".join(a.type for a in c.augmentations) or "no augmentation"
    return ", ".join(
        [*read, objective, f"positives from {c.positives.source}", f"batch {c.training.batch_size}", augmentations]
    )
