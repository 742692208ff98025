"""A study of few labels: what winner, its counterpart and reference rows come to as more training spectra have a class.

The counterpart is the winner's configuration without pretraining (or with it, where the winner has none). At each
share everyone learns from the same labelled spectra (:mod:`spectrosim_search.protocol.label_share`) and names the same
judged ones, out of fold; held-out spectra take no part. Runs and fits are pieces of work like any other of the
confirmation: what is stored is not done again, and those with all labels mostly are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from spectrosim_search.config.configuration import Component, Configuration
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.class_statistics import CLASS_METRICS, ClassMethod, class_difference, class_jackknife
from spectrosim_search.search.baseline_runs import fit_items
from spectrosim_search.search.candidates import Candidate
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.class_fits import class_items, class_reference
from spectrosim_search.search.confirm_budget import train
from spectrosim_search.search.progress import Listener
from spectrosim_search.search.records import LabelPoint
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_baselines import read_fits
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workers.pool import Pool

__all__ = ["label_curve"]

SHARE = "program.label_fraction"


def label_curve(
    store: Store,
    bench: ClassBench,
    pool: Pool,
    winner: Candidate,
    seeds: Sequence[int],
    go_on: Callable[[], bool],
    listener: Listener,
    *,
    title: str = "Winner",
) -> tuple[LabelPoint, ...]:
    """Train and fit what is not stored at every share of ``confirmation.label_fractions`` and with all labels.

    title: what the winner is called, a single trial where a committee of several has won.

    The first of `seeds` in any case, further ones while `go_on` says so. A method is left out of a share where no seed
    of it is complete. Empty where `seeds` is.
    """
    if not seeds:
        return ()
    shares = sorted({*bench.study.confirmation.label_fractions, 1.0})
    benches = {share: _bench_with(bench, share) for share in shares}
    runs = {share: _contenders(bench, winner, share, title) for share in shares}
    for part, proceed in ((seeds[:1], lambda: True), (seeds[1:], go_on)):
        work = _work(bench, [c for own in runs.values() for c in own], part)
        train(work, bench.study, store, pool, proceed, listener)
        _fit(store, bench, benches.values(), pool, part, proceed, listener)
    points: list[LabelPoint] = []
    fits = read_fits(store, bench.study.name)
    for share, own in benches.items():
        labelled = _labelled(own, seeds)
        methods: dict[tuple[str, str, str], ClassMethod] = {
            (c.name, c.title, c.kind): _by_seed(c, bench.folds, seeds) for c in runs[share]
        }
        keys = {item.key for item in class_items(own, bench.study.baselines, seeds, hold_out=False)}
        stored = [fit for key, fit in fits.items() if key in keys]
        for name in bench.study.baselines:
            row = class_reference(name, own, stored, seeds, hold_out=False)
            if not row.reason:
                methods[name, row.title, "baseline"] = list(row.method)
        points += _points(bench, share, labelled, methods)
    return tuple(points)


def _bench_with(bench: ClassBench, share: float) -> ClassBench:
    """The same folds, with that share of the labels for the reference rows."""
    if bench.label_share(bench.base_configuration()) == share:
        return bench
    base = (*((path, value) for path, value in bench.study.base if path != SHARE), (SHARE, share))
    study: Study = replace(bench.study, base=base)
    return ClassBench(bench.spectra, study, searchable=False)


def _contenders(bench: ClassBench, winner: Candidate, share: float, title: str) -> list[Candidate]:
    """The winner and its counterpart with a share of the labels."""
    own = winner.configuration
    if bench.label_share(own) != share:  # else it is trained already
        assert own.program is not None
        given = {**dict(own.program.parameters), SHARE.removeprefix("program."): share}
        own = replace(own, program=Component.of(own.program.type, **given))
    out = [Candidate("winner", title, "finalist", own, None, winner.seeds)]
    found: tuple[str, Configuration] | None = bench.program.counterpart(own)
    if found is not None:
        out.append(Candidate("counterpart", found[0], "finalist", found[1], None, winner.seeds))
    return out


def _work(bench: ClassBench, candidates: Sequence[Candidate], seeds: Sequence[int]) -> list[tuple[Candidate, WorkItem]]:
    """Seed by seed and fold by fold, so that runs which share a pretraining follow each other."""
    work = [
        (c, item)
        for c in candidates
        for item in bench.confirmation_items(c.configuration, c.seeds)
        if item.seed in seeds
    ]
    return sorted(work, key=lambda one: (one[1].seed, one[1].fold))


def _fit(
    store: Store,
    bench: ClassBench,
    benches: Iterable[ClassBench],
    pool: Pool,
    seeds: Sequence[int],
    go_on: Callable[[], bool],
    listener: Listener,
) -> None:
    """Fit the reference rows at every share."""
    items = [i for own in benches for i in class_items(own, bench.study.baselines, seeds, hold_out=False)]
    stored = read_fits(store, bench.study.name)
    fits = {i.key: stored[i.key] for i in items if i.key in stored and stored[i.key].status != "failed"}
    fit_items(store, bench.study.name, pool, items, fits, go_on, listener, total=len(items))


def _by_seed(c: Candidate, folds: int, seeds: Sequence[int]) -> ClassMethod:
    return [
        tuple(part for fold in range(folds) for part in c.replicates[s, fold].classes)
        for s in c.complete_seeds(folds)
        if s in seeds and all(c.replicates[s, fold].classes for fold in range(folds))
    ]


def _labelled(bench: ClassBench, seeds: Sequence[int]) -> float:
    """Labelled spectra of a fold, on average."""
    base = bench.base_configuration()
    counts = [len(bench.labelled(bench.split(f).train, base, f, seeds[0])) for f in range(bench.folds)]
    return float(np.mean(counts))


def _points(
    bench: ClassBench, share: float, labelled: float, methods: Mapping[tuple[str, str, str], ClassMethod]
) -> list[LabelPoint]:
    """Scores with intervals, and what the winner is ahead by at the same share, paired over units."""
    units, metric = bench.design.units, bench.study.metric
    first = next((m for (name, _, _), m in methods.items() if name == "winner"), [])
    return [
        LabelPoint(
            share=share,
            labelled=labelled,
            method=name,
            title=title,
            kind="winner" if name == "winner" else "baseline" if kind == "baseline" else "finalist",
            seeds=len(method),
            metrics={m: class_jackknife(method, units, m) for m in CLASS_METRICS},
            difference=(
                class_difference(first, method, units, metric).estimate if first and name != "winner" else None
            ),
        )
        for (name, title, kind), method in methods.items()
        if method
    ]
