"""What the confirmation of a task that names a class says: result table, correction for the selection, verdict."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from spectrosim_search.evaluation.class_statistics import (
    CLASS_METRICS,
    ClassMethod,
    class_difference,
    class_jackknife,
    class_score,
)
from spectrosim_search.evaluation.mixture_statistics import MixtureEstimate, mixture_estimates
from spectrosim_search.evaluation.scores import ClassScores, Estimate
from spectrosim_search.evaluation.statistics import Difference, holm
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.class_committee import ClassCommittee, Named
from spectrosim_search.search.class_fits import ClassReference
from spectrosim_search.search.class_selection import ClassSelection
from spectrosim_search.search.contenders import rankable
from spectrosim_search.search.records import ConfirmationRecord, MethodRow, ReplicateRecord, StudyRecord, VerdictRecord
from spectrosim_search.search.verdicts import no_verdict, verdict_record

__all__ = ["conclude_classes", "search_methods"]

KEPT_SEEDS = 3  # seeds whose named classes are kept for figures


@dataclass(frozen=True)
class _Compared:
    """Everything that is compared."""

    bench: ClassBench
    selection: ClassSelection
    finalists: Sequence[Named]
    references: Sequence[ClassReference]

    @property
    def winner(self) -> Named:
        return self.selection.winner

    @property
    def metric(self) -> str:
        return self.bench.study.metric

    @property
    def held_out(self) -> bool:
        return self.bench.design.hold_out is not None

    def taken_off(self, c: Named) -> float:
        """What choosing it has added to its score; held-out spectra had no part in that."""
        return 0.0 if self.held_out else self.selection.taken_off(c)

    def method(self, c: Named) -> ClassMethod:
        return c.held_out_classes() if self.held_out else c.class_method(self.bench.folds)

    def reference(self, r: ClassReference) -> ClassMethod:
        return r.held_out if self.held_out else r.method

    @property
    def judged(self) -> list[ClassReference]:
        return [r for r in self.references if not r.reason]

    @property
    def best(self) -> ClassReference | None:
        """The reference row that leads on the out-of-fold spectra of the search."""
        return max(self.judged, key=lambda r: rankable(class_score(r.method, self.metric)), default=None)

    def estimate(self, method: ClassMethod, metric: str) -> Estimate:
        return class_jackknife(method, self.bench.design.units, metric)

    def difference(self, a: ClassMethod, b: ClassMethod, shift: float) -> Difference:
        return class_difference(a, b, self.bench.design.units, self.metric).shifted(shift)


def search_methods(record: StudyRecord, folds: int) -> dict[str, ClassMethod]:
    """What was selected among: the search replicates of every configuration whose trial is COMPLETE."""
    finished = dict.fromkeys(t.configuration_id for t in record.trials if t.state == "COMPLETE")
    own: dict[str, list[ReplicateRecord]] = {identity: [] for identity in finished}
    for r in record.replicates:
        if r.phase == "search" and r.configuration_id in own:
            own[r.configuration_id].append(r)
    return {identity: _method(records, folds) for identity, records in own.items()}


def conclude_classes(
    bench: ClassBench,
    finalists: Sequence[Named],
    selection: ClassSelection,
    references: Sequence[ClassReference],
) -> ConfirmationRecord:
    """Statistics over everything that was trained, and the verdict on the winner."""
    design, winner = bench.design, selection.winner
    compared = _Compared(bench, selection, finalists, references)
    tests = _tests(compared)
    rows = [*_finalist_rows(compared), *_reference_rows(compared, tests)]
    method = compared.method(winner)
    return ConfirmationRecord(
        created_at=time.time(),
        scoring=design.scoring,
        metric=bench.study.metric,
        rows=tuple(rows),
        verdict=_verdict(compared, tests),
        winner_trial=-1 if isinstance(winner, ClassCommittee) else winner.trials[0],
        winner_configuration_id=winner.identity,
        export_kind="model",
        leakage={},
        threshold=float("nan"),
        epochs=max(c.training.epochs for c in winner.configurations),
        pairs=(),
        embedding=np.zeros((0, 2), dtype=np.float32),
        warnings=tuple(design.warnings),
        classes=tuple(_joined(seed) for seed in method[:KEPT_SEEDS]),
        class_names=design.class_names,
        details=_details(compared),
        mixtures=_mixtures(compared),
        winner_members=winner.trials if isinstance(winner, ClassCommittee) else (),
    )


def _method(records: Sequence[ReplicateRecord], folds: int) -> ClassMethod:
    """Named classes of every seed of which all folds are scored."""
    by_place = {(r.seed, r.fold): r for r in records if r.classes}
    seeds = sorted({seed for seed, _ in by_place})
    whole = [s for s in seeds if all((s, f) in by_place for f in range(folds))]
    return [tuple(c for f in range(folds) for c in by_place[s, f].classes) for s in whole]


def _joined(parts: Sequence[ClassScores]) -> ClassScores:
    """All folds of a seed in one."""
    arrays = {f.name: np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(ClassScores)}
    return ClassScores(**arrays)


def _tests(compared: _Compared) -> dict[tuple[str, str], tuple[Difference, float]]:
    """Difference and Holm-adjusted p of every finalist against every baseline; with a hold-out, of the winner alone.

    The best baseline is compared as it was scored. That it is the best of several flatters it, and nothing is taken off
    for that: the estimates of how much are as noisy as the lead itself, and every error would favour the winner.
    """
    judged = [compared.winner] if compared.held_out else compared.finalists
    found: dict[tuple[str, str], Difference] = {}
    for c in judged:
        for r in compared.judged:
            shift = -compared.taken_off(c)
            found[c.name, r.name] = compared.difference(compared.method(c), compared.reference(r), shift)
    adjusted = holm([d.p for d in found.values()])
    return {key: (d, p) for (key, d), p in zip(found.items(), adjusted, strict=True)}


def _verdict(compared: _Compared, tests: Mapping[tuple[str, str], tuple[Difference, float]]) -> VerdictRecord:
    best = compared.best
    if best is None:
        reason = "no baseline could be scored" if compared.references else "the study asked for no baseline"
        return no_verdict(reason, compared.taken_off(compared.winner))
    record, _ = verdict_record(
        tests[compared.winner.name, best.name],
        best=best.name,
        title=best.title,
        metric=compared.metric,
        optimism=compared.taken_off(compared.winner),
        unit=compared.bench.design.unit_plural,
    )
    return record


def _finalist_rows(compared: _Compared) -> list[MethodRow]:
    rows: list[MethodRow] = []
    ordered = [compared.winner, *(c for c in compared.finalists if c is not compared.winner)]
    for c in ordered:
        method = compared.method(c)
        if not method:
            continue
        wins, taken_off = c is compared.winner, compared.taken_off(c)
        estimates = {m: compared.estimate(method, m) for m in CLASS_METRICS}
        estimates[compared.metric] = _lowered(estimates[compared.metric], taken_off)
        scores = [class_score([seed], compared.metric) for seed in method]
        shift = taken_off - compared.taken_off(compared.winner)
        rows.append(
            MethodRow(
                name="winner" if wins else c.name,
                title=f"Winner ({c.title.lower()})" if wins else c.title,
                kind="winner" if wins else "finalist",
                configuration_id=c.identity,
                seeds=len(method),
                metrics=estimates,
                seed_sd=statistics.stdev(scores) if len(scores) > 1 else float("nan"),
                difference=None if wins else compared.difference(compared.method(ordered[0]), method, shift).estimate,
                p_adjusted=float("nan"),
                settings=c.settings(),
                note=f"corrected for its selection by {taken_off:.3f}" if taken_off > 0 else "",
            )
        )
    return rows


def _reference_rows(compared: _Compared, tests: Mapping[tuple[str, str], tuple[Difference, float]]) -> list[MethodRow]:
    rows: list[MethodRow] = []
    nothing = float("nan")
    for r in compared.references:
        method = compared.reference(r)
        scores = [class_score([seed], compared.metric) for seed in method]
        difference, p = tests.get((compared.winner.name, r.name), (None, nothing))
        rows.append(
            MethodRow(
                name=r.name,
                title=r.title,
                kind="baseline",
                configuration_id="",
                seeds=r.seeds,
                metrics={
                    m: Estimate(nothing, note=r.reason) if r.reason else compared.estimate(method, m)
                    for m in CLASS_METRICS
                },
                seed_sd=statistics.stdev(scores) if len(scores) > 1 else nothing,
                difference=None if difference is None else difference.estimate,
                p_adjusted=p,
                settings=r.settings,
                note=f"n/a: {r.reason}" if r.reason else "",
            )
        )
    return rows


def _details(compared: _Compared) -> dict[str, dict[str, float]]:
    """Further numbers of programs and baselines, each averaged over its runs, by the names of the rows."""
    out: dict[str, dict[str, float]] = {}
    for c in compared.finalists:
        own = c.details(held_out=compared.held_out and c is compared.winner)
        if own:
            out["winner" if c is compared.winner else c.name] = own
    return out | {r.name: dict(r.details) for r in compared.references if r.details}


def _mixtures(compared: _Compared) -> dict[str, tuple[MixtureEstimate, ...]]:
    """How well the methods that can name components of mixtures do, by the names of the rows."""
    out: dict[str, tuple[MixtureEstimate, ...]] = {}
    for c in compared.finalists:
        found = mixture_estimates(c.mixtures(held_out=compared.held_out))
        if found:
            out["winner" if c is compared.winner else c.name] = found
    rows = {r.name: mixture_estimates(r.mixtures) for r in compared.references if not r.reason}
    return out | {name: found for name, found in rows.items() if found}


def _lowered(e: Estimate, by: float) -> Estimate:
    return replace(e, value=e.value - by, low=e.low - by, high=e.high - by)
