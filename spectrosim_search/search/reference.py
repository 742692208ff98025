"""The reference rows: baselines under exactly the cells that trials and finalists are scored on.

A baseline that draws nothing is fitted once a fold, one that draws once for each fold and seed; each is scored on the
two validation halves of every cell, so that each of its numbers can be paired with a model's. Its threshold is chosen
on one half and applied to the other, as a model's is.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines import seeded, title
from spectrosim_search.config.errors import RunError
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.scores import Estimate, PairScores
from spectrosim_search.evaluation.statistics import jackknife
from spectrosim_search.evaluation.verification import METRICS, choose_threshold, metrics, primary
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.search.baseline_items import locate_pairs
from spectrosim_search.search.records import EVERY_SEED, HELD_OUT_FOLD, BaselineFit, BaselineRecord, MethodRow
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = [
    "KEPT_SEEDS",
    "ReferenceScores",
    "baseline_record",
    "baselines_of",
    "method_row",
    "pair_scores",
    "reference_names",
    "reference_scores",
]

Method = list[tuple[PairScores, ...]]
KEPT_SEEDS = 3  # seeds whose scored pairs are kept for figures


@dataclass(frozen=True)
class ReferenceScores:
    """One reference row before statistics: `cells` in the order of the seeds, then folds.

    `held_out` one part for each fit on all searched groups, or none. `scored_seeds`: those of `cells`. `seeds`: 0 where
    the method draws nothing, so that one fit serves them all. `reason`: why there is no score at all, else empty.
    """

    name: str
    title: str
    cells: Method
    held_out: Method
    settings: str
    seconds: float
    scored_seeds: tuple[int, ...] = ()
    seeds: int = 0
    seed_sd: float = float("nan")
    reason: str = ""


def reference_names(study: Study, spectra: SpectraSet) -> tuple[str, ...]:
    """The study's baselines, with what the protocol and the data add.

    Under shared-batch the union-find knows nothing, so the nearest training-group centroid joins; simulated data know
    their oracle.
    """
    names = list(study.baselines)
    if study.protocol.name == "shared-batch" and "training-centroid" not in names:
        names.append("training-centroid")
    if spectra.truth and "oracle" not in names:
        names.append("oracle")
    return tuple(names)


def reference_scores(
    name: str,
    bench: Workbench,
    fits: Iterable[BaselineFit],
    seeds: Sequence[int],
    drawn: Sequence[int],
    *,
    hold_out: bool,
) -> ReferenceScores:
    """Put a baseline's fits together: the scored halves of every (seed, fold) cell, the held-out pairs with `hold_out`.

    A method that draws counts the seeds of `drawn` of which every fold has been fitted, any other all `seeds`. One bad
    fit makes the row n/a: what is left would be a choice of the folds that went well.
    """
    design = bench.design
    own = {(f.fold, f.seed): f for f in fits if f.baseline == name}
    draws, held = seeded(name), design.hold_out if hold_out else None
    folds = [*range(design.folds), *([HELD_OUT_FOLD] if held is not None else [])]
    place = {s: s if draws else EVERY_SEED for s in (drawn if draws else seeds)}
    complete = [s for s, stored in place.items() if all((fold, stored) in own for fold in folds)]
    bad = [f for f in own.values() if f.status != "finished"]
    seconds = sum(f.seconds for f in own.values())
    if bad or not complete:
        count = "" if len(bad) == len(own) else f" ({len(bad)} of {len(own)} fits)"
        late = f"not finished, {len(own)} fits of {len(folds) * len(set(place.values()))} are stored: run it again"
        reason = f"{bad[0].reason}{count}" if bad else late
        return ReferenceScores(name, title(name), [], [], "", seconds, reason=reason)
    cells = [_cell(bench, own[fold, place[seed]], fold, seed) for seed in complete for fold in range(design.folds)]
    held_out: Method = []
    if held is not None:  # the threshold of the out-of-fold pairs, as for a model
        every = [p for cell in cells for p in cell]
        threshold = choose_threshold(
            np.concatenate([p.similarity for p in every]), np.concatenate([p.positive for p in every])
        )
        last = [own[HELD_OUT_FOLD, s] for s in dict.fromkeys(place[s] for s in complete)]
        held_out = [(pair_scores(held.pairs, _similarities(fit, held.pairs), threshold),) for fit in last]
    used = [f for (fold, _), f in own.items() if (fold == HELD_OUT_FOLD) == (held is not None)]
    return ReferenceScores(
        name=name,
        title=title(name),
        cells=cells,
        held_out=held_out,
        settings=_join([f.settings for f in sorted(used, key=lambda f: (f.seed, f.fold))]),
        seconds=seconds,
        scored_seeds=tuple(complete),
        seeds=len(complete) if draws else 0,
        seed_sd=_seed_sd(cells, design.folds, bench.study.metric) if draws else float("nan"),
    )


def baselines_of(references: Sequence[ReferenceScores]) -> list[ReferenceScores]:
    """Those that count as baselines: not the ceiling, not the audit, nor what could not be scored."""
    return [r for r in references if r.name not in ("oracle", "union-find") and not r.reason]


def method_row(
    scores: ReferenceScores,
    cells: Method,
    units: NDArray[np.int64],
    *,
    difference: Estimate | None = None,
    p_adjusted: float = float("nan"),
    note: str = "",
) -> MethodRow:
    """A reference row of the result table; `cells` are the scored pairs that judge it, `units` as in `Design`.

    Without a score it says n/a and why.
    """
    nothing = Estimate(float("nan"), note=scores.reason)
    kinds: dict[str, Literal["oracle", "audit"]] = {"oracle": "oracle", "union-find": "audit"}
    return MethodRow(
        name=scores.name,
        title=scores.title,
        kind=kinds.get(scores.name, "baseline"),
        configuration_id="",
        seeds=scores.seeds,
        metrics={m: nothing if scores.reason else jackknife(cells, units, m) for m in METRICS},
        seed_sd=scores.seed_sd,
        difference=difference,
        p_adjusted=p_adjusted,
        settings=scores.settings,
        note=f"n/a: {scores.reason}" if scores.reason else note,
    )


def baseline_record(scores: ReferenceScores, folds: int) -> BaselineRecord:
    """What the store keeps of a reference row."""
    cells = scores.held_out or scores.cells[: KEPT_SEEDS * folds]
    return BaselineRecord(
        name=scores.name,
        title=scores.title,
        pairs=tuple(p for cell in cells for p in cell),
        settings=scores.settings,
        seconds=scores.seconds,
    )


def pair_scores(pairs: PairSet, similarity: NDArray[np.float32], threshold: float) -> PairScores:
    """Join pairs with their similarities."""
    return PairScores(
        pairs.left, pairs.right, pairs.positive, pairs.stratum, similarity.astype(np.float32), float(threshold)
    )


def _cell(bench: Workbench, fit: BaselineFit, fold: int, seed: int) -> tuple[PairScores, ...]:
    halves = bench.split(fold, seed).halves
    return _cross_threshold(halves, [_similarities(fit, half) for half in halves])


def _similarities(fit: BaselineFit, wanted: PairSet) -> NDArray[np.float32]:
    found = locate_pairs(fit.pairs, wanted)
    if found is None:
        raise RunError(f"the stored fit of '{fit.baseline}' lacks pairs of this study: delete the study and run again")
    return found


def _seed_sd(cells: Method, folds: int, metric: str) -> float:
    """Spread of the fold means over seeds: training noise. NaN below two seeds."""
    scores = [primary(metrics(cell), metric) for cell in cells]
    means = [statistics.fmean(scores[i : i + folds]) for i in range(0, len(scores), folds)]
    means = [m for m in means if m == m]
    return statistics.stdev(means) if len(means) > 1 else float("nan")


def _cross_threshold(
    halves: tuple[PairSet, PairSet], similarities: Sequence[NDArray[np.float32]]
) -> tuple[PairScores, ...]:
    """The threshold of one half is applied to the other; an empty half (a fold not halved) is left out, and the other
    then has no threshold."""
    chosen = [choose_threshold(s, h.positive) for s, h in zip(similarities, halves)]
    scored = zip(halves, similarities, reversed(chosen))
    return tuple(pair_scores(half, similarity, threshold) for half, similarity, threshold in scored if len(half))


def _join(settings: Sequence[str]) -> str:
    """One line: the settings of the folds, repeated ones counted."""
    unique = list(dict.fromkeys(s for s in settings if s))
    if len(unique) <= 1:
        return unique[0] if unique else ""
    return " | ".join(unique)
