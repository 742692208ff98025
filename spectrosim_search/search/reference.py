"""The reference rows: baselines under exactly the cells that trials and finalists are scored on.

A baseline is fitted once a fold (it has no training seed) and scored on the two validation halves of every cell, so
that each of its numbers can be paired with a model's. Its threshold is chosen on one half and applied to the other, as
a model's is.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines import BaselineInput, BaselineOutput, title
from spectrosim_search.baselines import run as run_baseline
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.scores import Estimate, PairScores
from spectrosim_search.evaluation.statistics import jackknife
from spectrosim_search.evaluation.verification import METRICS, choose_threshold
from spectrosim_search.protocol.design import Design
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.search.records import BaselineRecord, MethodRow
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = [
    "KEPT_SEEDS",
    "ReferenceScores",
    "baseline_record",
    "baselines_of",
    "fit_reference",
    "method_row",
    "pair_scores",
    "reference_names",
    "score_reference",
]

Method = list[tuple[PairScores, ...]]
KEPT_SEEDS = 3  # seeds whose scored pairs are kept for figures


@dataclass(frozen=True)
class ReferenceScores:
    """One reference row before statistics: `cells` in the order of the seeds, then folds.

    `held_out` one part or none.
    """

    name: str
    title: str
    cells: Method
    held_out: Method
    settings: str
    seconds: float


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


def score_reference(
    name: str,
    study: Study,
    spectra: SpectraSet,
    design: Design,
    seeds: Sequence[int],
    *,
    on_fold: Callable[[str, int], None] | None = None,
) -> ReferenceScores:
    """Fit one baseline on every fold's training spectra and score the halves of every (seed, fold) cell.

    With a hold-out it is fitted once more on all searched groups and scores the held-out pairs; its threshold there
    comes from the out-of-fold pairs.
    """
    started = time.perf_counter()
    scored: dict[tuple[int, int], tuple[PairScores, ...]] = {}
    settings: list[str] = []
    out_of_fold: list[tuple[NDArray[np.float32], NDArray[np.bool_]]] = []
    for fold in range(design.folds):
        splits = [design.split(fold, seed) for seed in seeds]
        pairs = tuple(half for split in splits for half in split.halves)
        output = fit_reference(name, study, spectra, splits[0].train, splits[0].groups, splits[0].relation, pairs)
        settings.append(output.settings)
        for i, seed in enumerate(seeds):
            similarities = output.similarities[2 * i : 2 * i + 2]
            scored[seed, fold] = _cross_threshold(splits[i].halves, similarities)
            out_of_fold += [(s, h.positive) for s, h in zip(similarities, splits[i].halves)]
        if on_fold is not None:
            on_fold(name, fold)
    held_out: Method = []
    if design.hold_out is not None:
        train = design.hold_out.train
        split = design.split(0, seeds[0])
        output = fit_reference(name, study, spectra, train, split.groups, None, (design.hold_out.pairs,))
        settings = [output.settings]
        threshold = choose_threshold(
            np.concatenate([s for s, _ in out_of_fold]), np.concatenate([p for _, p in out_of_fold])
        )
        held_out = [(pair_scores(design.hold_out.pairs, output.similarities[0], threshold),)]
    return ReferenceScores(
        name=name,
        title=title(name),
        cells=[scored[seed, fold] for seed in seeds for fold in range(design.folds)],
        held_out=held_out,
        settings=_join(settings),
        seconds=time.perf_counter() - started,
    )


def baselines_of(references: Sequence[ReferenceScores]) -> list[ReferenceScores]:
    """Those that count as baselines: not the ceiling, not the audit."""
    return [r for r in references if r.name not in ("oracle", "union-find")]


def method_row(
    scores: ReferenceScores,
    cells: Method,
    units: NDArray[np.int64],
    *,
    difference: Estimate | None = None,
    p_adjusted: float = float("nan"),
    note: str = "",
) -> MethodRow:
    """A reference row of the result table; `cells` are the scored pairs that judge it, `units` as in `Design`."""
    kinds: dict[str, Literal["oracle", "audit"]] = {"oracle": "oracle", "union-find": "audit"}
    return MethodRow(
        name=scores.name,
        title=scores.title,
        kind=kinds.get(scores.name, "baseline"),
        configuration_id="",
        seeds=0,
        metrics={m: jackknife(cells, units, m) for m in METRICS},
        seed_sd=float("nan"),
        difference=difference,
        p_adjusted=p_adjusted,
        settings=scores.settings,
        note=note,
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


def fit_reference(
    name: str,
    study: Study,
    spectra: SpectraSet,
    train: NDArray[np.int64],
    groups: NDArray[np.int64],
    relation: NDArray[np.int8] | None,
    pairs: tuple[PairSet, ...],
) -> BaselineOutput:
    """Fit a baseline on the training rows and score pairs; `groups` and `relation` as in `CellSplit`."""
    _, labels = np.unique(spectra.labels, return_inverse=True)
    labels = np.where(spectra.labels == "", -1, labels).astype(np.int64)
    return run_baseline(
        name,
        BaselineInput(
            spectra=spectra,
            train=train,
            groups=groups,
            labels=labels,
            relation=relation,
            pairs=pairs,
            metric=study.metric,
            seed=study.seed,
        ),
    )


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
