"""What `reproduce` runs of a table that names a class: under one way of splitting, one seed, variant by variant."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.fields import content_hash
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.scores import ClassScores, MixtureScores
from spectrosim_search.search.baseline_items import BaselineItem
from spectrosim_search.search.baseline_runs import fit_items
from spectrosim_search.search.bench import CONFIRMATION_SEED
from spectrosim_search.search.candidates import Candidate, confirm_items
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.class_fits import class_items, class_reference
from spectrosim_search.search.progress import Listener
from spectrosim_search.search.published._class_table import Variant
from spectrosim_search.search.records import BaselineFit
from spectrosim_search.search.reproduce_runs import train_all
from spectrosim_search.search.store import Store
from spectrosim_search.search.workers.pool import Pool

__all__ = ["COLUMNS", "Column", "Named", "run_configurations", "run_references", "under"]

Column = Literal["plain", "disjoint"]
COLUMNS: tuple[Column, ...] = ("plain", "disjoint")
_PROTOCOL: Mapping[Column, Literal["shared-batch", "batch-disjoint"]] = {
    "plain": "shared-batch",
    "disjoint": "batch-disjoint",
}


@dataclass
class Named:
    """What one row named in one column, seed by seed.

    told: what the runs of a seed say beside names, mean over folds. mixtures: components named, all folds and seeds
    (task identify). failed: why a seed has no score.
    """

    seeds: list[tuple[ClassScores, ...]] = field(default_factory=list)
    told: list[Mapping[str, float]] = field(default_factory=list)
    mixtures: list[MixtureScores] = field(default_factory=list)
    failed: str = ""

    def add(self, more: Named) -> None:
        """Take in further seeds."""
        self.seeds += more.seeds
        self.told += more.told
        self.mixtures += more.mixtures
        self.failed = more.failed or self.failed


def under(study: Study, column: Column, seed: int, variant: Variant) -> Study:
    """The table's study in one column: folds and everything drawn new for every seed, a variant laid over its base."""
    protocol = replace(
        study.protocol,
        name=_PROTOCOL[column],
        scoring="corrected-cv",
        seed=study.protocol.seed + seed,
        train_share=study.protocol.train_share * variant.train_share,
    )
    base = tuple(sorted({**dict(study.base), **dict(variant.values)}.items()))
    return replace(study, protocol=protocol, seed=study.seed + seed, base=base)


def run_references(
    store: Store,
    bench: ClassBench,
    pool: Pool,
    names: Sequence[str],
    variant: Variant,
    fits: dict[str, BaselineFit],
    listener: Listener,
) -> dict[str, Named]:
    """Fit baselines on all folds; `fits` are those stored, and take in the new ones."""
    items = [_own(item, variant) for item in class_items(bench, names, [CONFIRMATION_SEED], hold_out=False)]
    known = {i.key: fits[i.key] for i in items if i.key in fits and fits[i.key].status != "failed"}
    fit_items(store, bench.study.name, pool, items, known, lambda: True, listener, total=len(items))
    fits |= known
    out = {}
    for name in names:
        r = class_reference(name, bench, list(known.values()), [CONFIRMATION_SEED])
        told = [r.details] if r.method else []
        out[name] = Named([tuple(seed) for seed in r.method], told, list(r.mixtures), r.reason)
    return out


def _own(item: BaselineItem, variant: Variant) -> BaselineItem:
    """The fit under an identity of the variant's: what baselines read of a configuration is not in their key."""
    return replace(item, key=content_hash([item.key, variant.values], length=24)) if variant.values else item


def run_configurations(
    store: Store, bench: ClassBench, pool: Pool, configurations: Mapping[str, Configuration], listener: Listener
) -> dict[str, Named]:
    """Train every configuration on all folds."""
    candidates = [Candidate(name, name, "preset", c, None, 1) for name, c in configurations.items()]
    failures = train_all(store, bench, pool, confirm_items(candidates, bench), bench.study.name, listener)
    out: dict[str, Named] = {}
    for candidate in candidates:
        method = candidate.class_method(bench.folds)
        records = candidate.replicates.values() if method else ()
        out[candidate.name] = Named(
            [tuple(seed) for seed in method],
            [_means(r.metrics for r in records)] if method else [],
            [m for r in records for m in r.mixtures],
            failures.get(candidate.name, ""),
        )
    return out


def _means(metrics: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Mean of every number over the mappings that have it."""
    values: dict[str, list[float]] = {}
    for one in metrics:
        for key, value in one.items():
            values.setdefault(key, []).append(float(value))
    return {key: statistics.fmean(each) for key, each in values.items()}
