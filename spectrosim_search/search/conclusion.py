"""What a confirmation says: the result table with intervals, the correction for the selection, the verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.evaluation.spread import LeftOut
from spectrosim_search.evaluation.statistics import Difference, holm, jackknife, paired_difference
from spectrosim_search.evaluation.verdict import ExportKind
from spectrosim_search.evaluation.verification import METRICS
from spectrosim_search.protocol.leakage import audit
from spectrosim_search.search.contenders import Contender, Method, rankable
from spectrosim_search.search.records import ConfirmationRecord, MethodRow, VerdictRecord
from spectrosim_search.search.reference import (
    KEPT_SEEDS,
    ReferenceScores,
    baselines_of,
    method_row,
)
from spectrosim_search.search.selection import Selection
from spectrosim_search.search.verdicts import no_verdict, verdict_record
from spectrosim_search.search.workbench import Workbench

__all__ = ["conclude"]

ORDER = ("winner", "finalist", "preset", "baseline", "oracle", "audit")


@dataclass(frozen=True)
class _Comparison:
    """Everything that is compared: one metric, one set of judged pairs, all methods over them."""

    metric: str
    units: NDArray[np.int64]
    folds: int
    held_out: bool
    contenders: Sequence[Contender]
    references: Sequence[ReferenceScores]
    selection: Selection
    label_free: bool  # whether finalists were chosen without labels
    _known: dict[tuple[str, bool, frozenset[int]], dict[bytes, LeftOut]] = field(default_factory=dict)

    def cells(self, method: Contender) -> Method:
        """The scored pairs that judge a contender."""
        return method.held_out_cells() if self.held_out else method.cells(self.folds)

    def reference_cells(self, reference: ReferenceScores, beside: Contender) -> Method:
        """The scored pairs that judge a reference beside a contender: cross-validated on the contender's own seeds,
        as far as it was fitted for them; on all of its own where it was fitted for none of them."""
        if self.held_out:
            return reference.held_out
        shared = self.shared_seeds(reference, beside)
        places = [seed for seed in reference.scored_seeds for _ in range(self.folds)]
        kept = [cell for seed, cell in zip(places, reference.cells, strict=True) if seed in shared]
        return kept or reference.cells

    def shared_seeds(self, reference: ReferenceScores, contender: Contender) -> set[int]:
        """Seeds on whose halves both were scored."""
        return set(contender.complete_seeds(self.folds)) & set(reference.scored_seeds)

    def lead(self, contender: Contender, reference: ReferenceScores) -> Difference:
        """Corrected score of a contender minus that of a reference, on the halves that both have met.

        A reference with fewer seeds has met fewer halves. Which these are moves a score by more than methods differ,
        and no interval knows of it.
        """
        cells, shared = self.cells(contender), self.shared_seeds(reference, contender)
        if self.held_out:
            shared = set()  # every seed counts
        elif shared:
            cells = contender.cells(self.folds, shared)
        known = self._known.setdefault((contender.name, self.held_out, frozenset(shared)), {})
        other = self.reference_cells(reference, contender)
        found = paired_difference(cells, other, self.units, self.metric, known=known)
        return found.shifted(-self.taken_off(contender))

    def score(self, cells: Method) -> float:
        """The study's metric."""
        return jackknife(cells, self.units, self.metric).value

    def taken_off(self, contender: Contender) -> float:
        """What choosing it among the trials is known to have added to its score: nothing on held-out groups."""
        return 0.0 if self.held_out else self.selection.taken_off(contender)

    def difference(self, a: Method, b: Method, shift: float) -> Difference:
        """a - b, paired over groups, its centre moved by what selections are known to have done."""
        return paired_difference(a, b, self.units, self.metric).shifted(shift)

    def note(self, contender: Contender, optimism: float) -> str:
        """How a contender's score is corrected, in a few words; empty where there is nothing to say."""
        without = self.label_free and contender.kind == "finalist" and contender.competes
        said = ["among the finalists chosen without labels"] if without else []
        if optimism > 0:
            said.append(f"corrected for its selection by {optimism:.3f}")
        return "; ".join(said)

    @property
    def winner(self) -> Contender:
        """The one that is tested against the baselines."""
        return self.selection.winner

    @property
    def baselines(self) -> list[ReferenceScores]:
        """Reference rows that a winner is tested against: not the ceiling, not the audit."""
        return baselines_of(self.references)

    @cached_property
    def best(self) -> ReferenceScores | None:
        """The baseline with the smallest distance to the winner on the out-of-fold pairs of the searched groups."""
        out_of_fold = replace(self, held_out=False)

        def ahead(r: ReferenceScores) -> float:
            mine = self.winner.cells(self.folds, self.shared_seeds(r, self.winner) or None)
            return rankable(self.score(out_of_fold.reference_cells(r, self.winner)) - self.score(mine))

        return max(self.baselines, key=ahead, default=None)


def conclude(
    workbench: Workbench,
    contenders: Sequence[Contender],
    selection: Selection,
    references: Sequence[ReferenceScores],
) -> ConfirmationRecord:
    """Statistics over everything that was trained, and the verdict on the winner of the `selection`.

    `references` are scored on the seeds of all finalists.
    """
    design, winner = workbench.design, selection.winner
    compared = _compare(workbench, contenders, selection, references)
    tests = _tests(compared)
    verdict, export_kind = _verdict(compared, tests)
    rows = [*_contender_rows(compared), *_reference_rows(compared, tests)]
    leak = audit(design, winner.complete_seeds(design.folds))
    return ConfirmationRecord(
        created_at=time.time(),
        scoring="hold-out" if compared.held_out else "corrected-cv",
        metric=compared.metric,
        rows=tuple(sorted(rows, key=lambda row: ORDER.index(row.kind))),
        verdict=verdict,
        winner_trial=winner.trials[0] if len(winner.trials) == 1 else -1,
        winner_configuration_id=winner.identity,
        export_kind=export_kind,
        leakage={"auc": leak.auc, "balanced_accuracy": leak.balanced_accuracy, "expected": leak.expected},
        threshold=winner.threshold(),
        epochs=winner.epochs(),
        pairs=tuple(p for cell in compared.cells(winner)[: KEPT_SEEDS * design.folds] for p in cell),
        embedding=np.zeros((0, 2), dtype=np.float32),
        warnings=tuple(design.warnings),
        winner_members=winner.trials if len(winner.trials) > 1 else (),
        group_names=tuple(design.codes.group_names),
        group_codes=design.groups,
        labels_trial=next((c.trials[0] for c in contenders if c.labels_choose), -1),
    )


def _compare(
    workbench: Workbench,
    contenders: Sequence[Contender],
    selection: Selection,
    references: Sequence[ReferenceScores],
) -> _Comparison:
    design = workbench.design
    return _Comparison(
        metric=selection.metric,
        units=design.units,
        folds=design.folds,
        held_out=design.hold_out is not None,
        selection=selection,
        contenders=contenders,
        references=references,
        label_free=workbench.study.confirmation.selection != "score",
    )


def _tests(compared: _Comparison) -> dict[tuple[str, str], tuple[Difference, float]]:
    """Difference and Holm-adjusted p of every finalist against every baseline; with a hold-out, of the winner alone.

    A finalist's lead is lowered by what its selection added to its score. A baseline is compared as it was scored:
    being the best of several flatters it, and whatever is taken off it for that is added to the winner's lead.
    """
    finalists = [c for c in compared.contenders if c.kind == "finalist" and (compared.cells(c))]
    judged = [compared.winner] if compared.held_out else finalists
    differences: dict[tuple[str, str], Difference] = {}
    for c in judged:
        for r in compared.baselines:
            differences[c.name, r.name] = compared.lead(c, r)
    adjusted = holm([d.p for d in differences.values()])
    return {key: (d, p) for (key, d), p in zip(differences.items(), adjusted)}


def _verdict(
    compared: _Comparison, tests: Mapping[tuple[str, str], tuple[Difference, float]]
) -> tuple[VerdictRecord, ExportKind]:
    best, optimism = compared.best, compared.taken_off(compared.winner)
    if best is None:
        failed = any(r.reason for r in compared.references)
        reason = "no baseline could be scored" if failed else "the study asked for no baseline"
        return no_verdict(reason, optimism), "model"
    test = tests[compared.winner.name, best.name]
    return verdict_record(test, best=best.name, title=best.title, metric=compared.metric, optimism=optimism)


def _contender_rows(compared: _Comparison) -> list[MethodRow]:
    winner = compared.winner
    rows: list[MethodRow] = []
    for c in compared.contenders:
        cells = compared.cells(c)
        if not cells:
            continue
        estimates = {m: jackknife(cells, compared.units, m) for m in METRICS}
        optimism = compared.taken_off(c)  # all finalists were chosen on these groups
        estimates[compared.metric] = _shift(estimates[compared.metric], -optimism)
        shift = optimism - compared.taken_off(winner)
        rows.append(
            MethodRow(
                name="winner" if c is winner else c.name,
                title=f"Winner ({c.title.lower()})" if c is winner else c.title,
                kind="winner" if c is winner else c.kind,
                configuration_id=c.identity,
                seeds=len(c.complete_seeds(compared.folds)),
                metrics=estimates,
                seed_sd=c.seed_sd(compared.folds),
                difference=None if c is winner else compared.difference(compared.cells(winner), cells, shift).estimate,
                p_adjusted=float("nan"),
                settings=c.settings(),
                note=compared.note(c, optimism),
            )
        )
    return rows


def _reference_rows(
    compared: _Comparison, tests: Mapping[tuple[str, str], tuple[Difference, float]]
) -> list[MethodRow]:
    rows: list[MethodRow] = []
    winner = compared.winner
    for r in compared.references:
        if r.reason:
            rows.append(method_row(r, [], compared.units))
            continue
        cells = compared.reference_cells(r, winner)
        known = tests.get((winner.name, r.name))
        difference, p = known if known is not None else (compared.lead(winner, r), float("nan"))
        row = method_row(r, cells, compared.units, difference=difference.estimate, p_adjusted=p)
        fewer, all_ = len(compared.shared_seeds(r, winner)), len(winner.complete_seeds(compared.folds))
        note = "" if compared.held_out or fewer in (0, all_) else f"compared on {fewer} of the winner's {all_} seeds"
        rows.append(replace(row, note=note) if note else row)
    return rows


def _shift(e: Estimate, by: float) -> Estimate:
    return replace(e, value=e.value + by, low=e.low + by, high=e.high + by)
