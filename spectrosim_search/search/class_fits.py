"""Reference rows of tasks that name a class: their fits as pieces of work, and what they come to."""

from __future__ import annotations

import statistics
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from spectrosim_search.baselines import revision
from spectrosim_search.config import registry
from spectrosim_search.evaluation.class_statistics import ClassMethod
from spectrosim_search.evaluation.scores import MixtureScores
from spectrosim_search.search.baseline_items import BaselineItem, recorded
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.records import EVERY_SEED, HELD_OUT_FOLD, BaselineFit

__all__ = ["ClassReference", "class_items", "class_reference", "fit_class_baseline"]


@dataclass(frozen=True)
class ClassReference:
    """One reference row before statistics.

    `method`: named classes by seed, all folds together; `held_out` those of the held-out spectra. `seeds`: 0 where the
    method draws nothing. `reason`: why there is no score, else empty.
    """

    name: str
    title: str
    method: ClassMethod
    held_out: ClassMethod
    settings: str
    seconds: float
    seeds: int = 0
    reason: str = ""
    details: Mapping[str, float] = field(default_factory=dict)  # means over the fits that the row is scored by
    mixtures: tuple[MixtureScores, ...] = ()  # of the spectra that the row is scored on


def class_items(bench: ClassBench, names: Sequence[str], drawn: Sequence[int], *, hold_out: bool) -> list[BaselineItem]:
    """All fits: one a fold of a method that draws nothing, one for each fold and seed of `drawn` of one that does.

    Raises InputError for an unknown name.
    """
    folds = [*range(bench.folds), *([HELD_OUT_FOLD] if hold_out and bench.design.hold_out is not None else [])]
    places = []
    for name in names:
        draws = _draws(bench, name)
        places += [(name, fold, seed) for seed in (drawn if draws else (EVERY_SEED,)) for fold in folds]
    places.sort(key=lambda place: place[2])  # what draws nothing first, then seed by seed
    revisions = {name: revision(name, bench.program.BASELINES) for name in names}
    return [
        BaselineItem(bench.baseline_key(name, fold, seed, revisions[name]), name, fold, seed, (seed,), bench.study)
        for name, fold, seed in places
    ]


def _draws(bench: ClassBench, name: str) -> bool:
    """Whether fits differ by seed: the method draws, or all rows of its program do, or which spectra are labelled."""
    drawn = getattr(bench.program, "ROWS_DRAW", False) or bench.label_share(bench.base_configuration()) < 1
    return bool(registry.load(bench.program.BASELINES, name).SEEDED or drawn)


def fit_class_baseline(bench: ClassBench, item: BaselineItem, *, worker: str, environment_id: str) -> BaselineFit:
    """Fit on a fold's training spectra and name its judged ones."""

    def fitted() -> dict[str, Any]:
        given = bench.class_input(item.fold, max(item.seed, 0))
        output = bench.program.baseline(item.baseline, given, bench.base_configuration())
        named = bench.scores(given.judged, output.predicted, output.confidence.astype(np.float32))
        mixtures = bench.mixture_scores(item.fold, output.components)
        return {"settings": output.settings, "classes": (named,), "metrics": output.metrics, "mixtures": mixtures}

    return recorded(item, fitted, worker=worker, environment_id=environment_id)


def class_reference(
    name: str, bench: ClassBench, fits: Collection[BaselineFit], drawn: Sequence[int], *, hold_out: bool = True
) -> ClassReference:
    """Put a baseline's fits together. A seed counts once every fold is fitted; one bad fit makes the row n/a.

    hold_out: whether the held-out spectra, where there are any, belong to it.
    """
    title, draws = str(registry.load(bench.program.BASELINES, name).TITLE), _draws(bench, name)
    own = {(f.fold, f.seed): f for f in fits if f.baseline == name}
    folds = [*range(bench.folds), *([HELD_OUT_FOLD] if hold_out and bench.design.hold_out is not None else [])]
    seeds = [s for s in (drawn if draws else (EVERY_SEED,)) if all((fold, s) in own for fold in folds)]
    bad = [f for f in own.values() if f.status != "finished"]
    seconds = sum(f.seconds for f in own.values())
    if bad or not seeds:
        reason = bad[0].reason if bad else f"not finished, {len(own)} fits are stored: run it again"
        return ClassReference(name, title, [], [], "", seconds, reason=reason)
    places = [HELD_OUT_FOLD] if HELD_OUT_FOLD in folds else folds
    judged = [f for (fold, seed), f in own.items() if seed in seeds and fold in places]
    numbers: dict[str, list[float]] = {}
    for f in judged:
        for key, value in f.metrics.items():
            numbers.setdefault(key, []).append(float(value))
    return ClassReference(
        name=name,
        title=title,
        method=[tuple(c for fold in range(bench.folds) for c in own[fold, s].classes) for s in seeds],
        held_out=[own[HELD_OUT_FOLD, s].classes for s in seeds] if HELD_OUT_FOLD in folds else [],
        settings=" | ".join(dict.fromkeys(f.settings for _, f in sorted(own.items()) if f.settings)),
        seconds=seconds,
        seeds=len(seeds) if draws else 0,
        mixtures=tuple(m for f in judged for m in f.mixtures),
        details={key: statistics.fmean(values) for key, values in numbers.items()},
    )
