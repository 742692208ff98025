"""A study of fixed methods alone (too few groups to search, or none wanted): their scores and which of them leads."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import numpy as np

from spectrosim_search.evaluation.bootstrap import bbc
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.evaluation.statistics import jackknife, paired_difference
from spectrosim_search.evaluation.verdict import Verdict, lead
from spectrosim_search.protocol.design import SEARCHABLE
from spectrosim_search.protocol.leakage import audit
from spectrosim_search.search.baseline_runs import score_baselines
from spectrosim_search.search.booked_time import BookedTime
from spectrosim_search.search.contenders import rankable
from spectrosim_search.search.progress import Listener, silent
from spectrosim_search.search.records import ConfirmationRecord, VerdictRecord
from spectrosim_search.search.reference import (
    ReferenceScores,
    baseline_record,
    baselines_of,
    method_row,
    reference_names,
)
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_baselines import stored_study
from spectrosim_search.search.workbench import CONFIRMATION_SEED, Workbench
from spectrosim_search.search.workers.pool import Pool

__all__ = ["compare_fixed"]

ORDER = ("baseline", "oracle", "audit")


def compare_fixed(
    store: Store,
    bench: Workbench,
    pool: Pool,
    say: Callable[[str], None],
    listener: Listener = silent,
    *,
    drawn_seeds: int | None = None,
    go_on: Callable[[], bool] = lambda: True,
) -> None:
    """Score the study's baselines (and the oracle of simulated data), say which leads, store both.

    No trial is made; a study that was compared before is compared again, without fitting anything twice. Scores are
    out of fold: groups that a search would hold out are left alone. `drawn_seeds` of the seeds are for methods that
    draw (None: all of the study's); the others' seeds draw halves and samples of pairs only.
    """
    store.open_study(bench.study, bench.dataset, bench.design.summary())
    store.optuna_study(bench.study.name)  # empty: whoever reads a study finds one
    study = stored_study(store, bench.study.name) or bench.study
    seeds = range(CONFIRMATION_SEED, CONFIRMATION_SEED + max(study.protocol.seeds, drawn_seeds or 0))
    names = reference_names(study, bench.spectra)
    say(f"fixed methods: {', '.join(names)}")
    with BookedTime(store, study.name, "confirmation"):
        references = score_baselines(
            store, bench, pool, names, seeds, hold_out=False, drawn_seeds=drawn_seeds, go_on=go_on, listener=listener
        )
        conclusion = _conclude(bench, references, seeds)
        for reference in references:
            store.set_baseline(study.name, baseline_record(reference, bench.design.folds))
        store.set_confirmation(study.name, conclusion)


def _conclude(bench: Workbench, references: Sequence[ReferenceScores], seeds: Sequence[int]) -> ConfirmationRecord:
    design = bench.design
    metric = _metric(bench, references)
    verdict, difference, leader = _verdict(bench, references, metric)
    rows = [
        method_row(r, r.cells, design.units, note="leads the fixed methods" if r is leader else "") for r in references
    ]
    leak = audit(design, seeds)
    return ConfirmationRecord(
        created_at=time.time(),
        scoring="fixed",
        metric=metric,
        rows=tuple(sorted(rows, key=lambda row: ORDER.index(row.kind))),
        verdict=VerdictRecord(verdict.outcome, verdict.sentence, difference, leader.name if leader else "", 0.0),
        winner_trial=-1,
        winner_configuration_id="",
        export_kind=verdict.export_kind,
        leakage={"auc": leak.auc, "balanced_accuracy": leak.balanced_accuracy, "expected": leak.expected},
        threshold=float("nan"),
        epochs=0,
        pairs=(),
        embedding=np.zeros((0, 2), dtype=np.float32),
        warnings=tuple(design.warnings),
        group_names=tuple(design.codes.group_names),
        group_codes=design.groups,
    )


def _metric(bench: Workbench, references: Sequence[ReferenceScores]) -> str:
    """The study's metric; AUC over all pairs where no method has a value (no labels to match, no threshold)."""
    asked, units = bench.study.metric, bench.design.units
    values = [jackknife(r.cells, units, asked).value for r in references if not r.reason]
    return asked if any(value == value for value in values) else "auc"


def _verdict(
    bench: Workbench, references: Sequence[ReferenceScores], metric: str
) -> tuple[Verdict, Estimate, ReferenceScores | None]:
    """The sentence, the lead over the next method, and the method that leads; of equals the one asked for first."""
    units, groups = bench.design.units, bench.design.independent
    scores = {r.name: jackknife(r.cells, units, metric) for r in baselines_of(references)}
    ranked = sorted(baselines_of(references), key=lambda r: -rankable(scores[r.name].value))
    without = "no baseline could be scored" if references else "the study asks for no baseline"
    nothing = Estimate(float("nan"), note="only one baseline" if ranked else without)
    if not ranked:
        return lead(nothing, name="", title="", metric=metric, groups=groups, needed=SEARCHABLE), nothing, None
    first, *others = ranked
    difference = paired_difference(first.cells, others[0].cells, units, metric).estimate if others else nothing
    optimism = bbc({r.name: r.cells for r in ranked}, units, metric, seed=bench.study.seed).optimism if others else 0.0
    verdict = lead(
        scores[first.name],
        name=first.name,
        title=first.title,
        metric=metric,
        groups=groups,
        needed=SEARCHABLE,
        runner_up=others[0].title if others else "",
        difference=difference,
        among=len(ranked),
        optimism=optimism,
    )
    return verdict, difference, first
