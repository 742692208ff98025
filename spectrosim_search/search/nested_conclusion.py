"""What nested scoring says: score and verdict of the procedure, and how each outer fold's search carried over."""

from __future__ import annotations

import statistics
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from spectrosim_search.evaluation.posterior import effect_size, posterior
from spectrosim_search.evaluation.scores import Estimate, PairScores
from spectrosim_search.evaluation.statistics import Difference, holm, jackknife, paired_difference
from spectrosim_search.evaluation.verdict import ExportKind, decide
from spectrosim_search.evaluation.verification import METRICS
from spectrosim_search.search.contenders import Contender
from spectrosim_search.search.records import (
    CHOSEN,
    ConfirmationRecord,
    MethodRow,
    OuterFold,
    StudyRecord,
    VerdictRecord,
)
from spectrosim_search.search.reference import KEPT_SEEDS, ReferenceScores, baselines_of, method_row
from spectrosim_search.search.verdicts import no_verdict
from spectrosim_search.search.workbench import Workbench

__all__ = ["InnerSearch", "conclude_nested"]

Method = list[tuple[PairScores, ...]]


@dataclass(frozen=True)
class InnerSearch:
    """How the search in one outer fold ended.

    `contender` is who won, with its replicates; `winner` the row of its own table.
    """

    record: StudyRecord
    confirmation: ConfirmationRecord
    contender: Contender
    winner: MethodRow


def conclude_nested(
    bench: Workbench,
    last: ConfirmationRecord,
    inner: Sequence[InnerSearch],
    cells: Method,
    references: Sequence[ReferenceScores],
) -> ConfirmationRecord:
    """`last` with the procedure's rows, verdict and pairs in place of those of the last search.

    cells: scored pairs of the inner winners, in the order seeds, then outer folds. references: `held_out` has one cell
    an outer fold. What is exported (winner, threshold, epochs) stays that of the last search.
    """
    units = bench.design.units
    defined = jackknife(cells, units, bench.study.metric).value
    metric = bench.study.metric if defined == defined else "auc"
    compared = {r.name: r.held_out for r in references if not r.reason}
    baselines = {r.name: r for r in baselines_of(references)}
    led = [i.confirmation.verdict.best_baseline for i in inner]
    chosen: Method = []
    if all(name in baselines for name in led):
        chosen = [baselines[name].held_out[k] for k, name in enumerate(led)]
        compared[CHOSEN] = chosen
    differences = {name: paired_difference(cells, own, units, metric) for name, own in compared.items()}
    tested = [*baselines, CHOSEN] if CHOSEN in compared and len(set(led)) > 1 else list(baselines)
    adjusted = dict(zip(tested, holm([differences[name].p for name in tested]), strict=True))
    if len(set(led)) == 1 and CHOSEN in compared:  # one test, not two
        adjusted[CHOSEN] = adjusted[led[0]]
    rows = [_winner_row(bench, last, cells, len(inner), metric)]
    verdict, export_kind = no_verdict(_why_undecided(led, references), 0.0), last.export_kind
    if CHOSEN in compared:
        names = [baselines[name].title for name in led]
        rows.append(_chosen_row(bench, chosen, differences[CHOSEN].estimate, adjusted[CHOSEN], names))
        verdict, export_kind = _verdict(last, differences[CHOSEN], adjusted[CHOSEN], metric, names)
    rows += [
        method_row(
            r,
            r.held_out,
            units,
            difference=None if r.reason else differences[r.name].estimate,
            p_adjusted=adjusted.get(r.name, float("nan")),
        )
        for r in references
    ]
    return replace(
        last,
        created_at=time.time(),
        scoring="nested",
        metric=metric,
        rows=tuple(rows),
        verdict=verdict,
        export_kind=export_kind,
        pairs=tuple(p for cell in cells[: KEPT_SEEDS * len(inner)] for p in cell),
        labels_trial=-1,  # the last search's own rows are not shown
        outer=tuple(_fold(bench, i, k, cells, chosen, metric) for k, i in enumerate(inner)),
    )


def _winner_row(bench: Workbench, last: ConfirmationRecord, cells: Method, folds: int, metric: str) -> MethodRow:
    units = bench.design.units
    seeds = [jackknife(cells[i : i + folds], units, metric).value for i in range(0, len(cells), folds)]
    known = [s for s in seeds if s == s]
    of_last = next((row for row in last.rows if row.kind == "winner"), None)
    return MethodRow(
        name="winner",
        title="Winner (of the search as a procedure)",
        kind="winner",
        configuration_id=last.winner_configuration_id,
        seeds=len(seeds),
        metrics={m: jackknife(cells, units, m) for m in METRICS},
        seed_sd=statistics.stdev(known) if len(known) > 1 else float("nan"),
        difference=None,
        p_adjusted=float("nan"),
        settings=f"of the last search: {of_last.settings}" if of_last is not None else "",
        note=f"a search in each of {folds} outer folds; the score belongs to the procedure",
    )


def _chosen_row(
    bench: Workbench, chosen: Method, difference: Estimate, p_adjusted: float, titles: Sequence[str]
) -> MethodRow:
    return MethodRow(
        name=CHOSEN,
        title="Best baseline, chosen in each outer fold",
        kind="baseline",
        configuration_id="",
        seeds=0,
        metrics={m: jackknife(chosen, bench.design.units, m) for m in METRICS},
        seed_sd=float("nan"),
        difference=difference,
        p_adjusted=p_adjusted,
        settings=_counted(titles),
        note="what the verdict compares with",
    )


def _verdict(
    last: ConfirmationRecord, difference: Difference, p: float, metric: str, titles: Sequence[str]
) -> tuple[VerdictRecord, ExportKind]:
    best = last.verdict.best_baseline  # chosen once more, on all groups: what would be taken away in the winner's stead
    belief = posterior(difference)
    decision = decide(
        difference.estimate,
        best_baseline=best,
        best_title=f"chosen without the groups that judge it ({_counted(titles)})",
        metric=metric,
        groups=difference.groups,
        p=p,
        winner="the searched winner",
        belief=belief,
    )
    sentence = (
        f"{decision.sentence} The score belongs to the procedure, a search in each of {len(titles)} outer folds, not "
        "to one configuration."
    )
    size = effect_size(difference)
    return VerdictRecord(decision.outcome, sentence, difference.estimate, best, 0.0, belief, size), decision.export_kind


def _why_undecided(led: Sequence[str], references: Sequence[ReferenceScores]) -> str:
    """Why there is no baseline to compare with in every outer fold: none was asked for, none led, or one that led could
    not be scored."""
    failed = {r.name: r for r in references if r.reason}
    lost = next((failed[name] for name in led if name in failed), None)
    if lost is not None:
        return f"{lost.title} led in a search and could not be scored on its outer fold ({lost.reason})"
    asked = failed or baselines_of(references)
    return "no baseline could be scored in every search" if asked else "the study asked for no baseline"


def _fold(bench: Workbench, inner: InnerSearch, fold: int, cells: Method, chosen: Method, metric: str) -> OuterFold:
    """How the search of one outer fold carried over; its score outside is a mean over seeds."""
    units, outer, folds = bench.design.units, bench.design.outer, len(bench.design.outer)
    confirmation = inner.confirmation
    inner_folds = 1 + max(fold for _, fold in inner.contender.places())
    best = confirmation.verdict.best_baseline
    title = next((row.title for row in confirmation.rows if row.name == best), "")
    held = np.setdiff1d(bench.design.codes.usable(), outer[fold].train)
    return OuterFold(
        study=inner.record.study.name,
        groups=len(np.unique(bench.design.groups[held])),
        configuration_id=confirmation.winner_configuration_id,
        settings=inner.winner.settings,
        best_search=max(
            (t.value for t in inner.record.trials if t.state == "COMPLETE" and t.value is not None),
            default=float("nan"),
        ),
        inner=inner.contender.score(inner_folds),
        outer=jackknife(cells[fold::folds], units, metric).value,
        baseline=best,
        baseline_title=title,
        baseline_outer=jackknife([chosen[fold]], units, metric).value if chosen else float("nan"),
    )


def _counted(titles: Sequence[str]) -> str:
    """``Cosine in 2, linear metric in 3 of 5``; the one title where all folds chose it."""
    counts = Counter(titles)
    if len(counts) == 1:
        return titles[0]
    return ", ".join(f"{title} in {count}" for title, count in counts.most_common()) + f" of {len(titles)} folds"
