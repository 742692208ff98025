"""The verdict on a winner beside the best baseline, as it is stored: of pairs and of named classes alike."""

from __future__ import annotations

from spectrosim_search.evaluation.posterior import effect_size, posterior
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.evaluation.statistics import Difference
from spectrosim_search.evaluation.verdict import ExportKind, decide
from spectrosim_search.search.records import VerdictRecord

__all__ = ["no_verdict", "verdict_record"]


def verdict_record(
    test: tuple[Difference, float],
    *,
    best: str,
    title: str,
    metric: str,
    optimism: float,
    unit: str = "groups",
) -> tuple[VerdictRecord, ExportKind]:
    """What stands in the study, and what is exported.

    test: winner minus `best` (a baseline, `title` for people) with its p-value after Holm. optimism: what was taken off
    the winner for having been chosen. unit: what was left out for the interval, in the plural.
    """
    difference, p = test
    belief = posterior(difference)
    decision = decide(
        difference.estimate,
        best_baseline=best,
        best_title=title,
        metric=metric,
        groups=difference.groups,
        unit=unit,
        p=p,
        belief=belief,
    )
    record = VerdictRecord(
        decision.outcome,
        decision.sentence,
        difference.estimate,
        best,
        optimism,
        belief,
        effect_size(difference),
    )
    return record, decision.export_kind


def no_verdict(reason: str, optimism: float) -> VerdictRecord:
    """Where there is nothing to compare with; `reason` ends the sentence."""
    nothing = Estimate(float("nan"), note=reason)
    return VerdictRecord("cannot tell", f"Cannot tell: {reason}.", nothing, "", optimism)
