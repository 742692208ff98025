"""What `reproduce` runs under one protocol and one seed: reference rows, and configurations in up to three ways."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal

import numpy as np

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import choose_threshold
from spectrosim_search.search.baseline_runs import score_baselines
from spectrosim_search.search.bench import Bench
from spectrosim_search.search.candidates import Candidate, confirm_items, held_out_items
from spectrosim_search.search.driver_items import run_items
from spectrosim_search.search.progress import Listener
from spectrosim_search.search.protocols import Repeats
from spectrosim_search.search.records import ReplicateRecord
from spectrosim_search.search.reference import reference_names
from spectrosim_search.search.store import Store
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workbench import CONFIRMATION_SEED, Workbench
from spectrosim_search.search.workers.pool import Pool

__all__ = ["STOPPED", "STOPPED_THRESHOLD", "Runs", "score_models", "score_references", "train_all"]

STOPPED = "stopped on test pairs"
STOPPED_THRESHOLD = "stopped and threshold on test pairs"
Runs = dict[tuple[str, str], Repeats]  # by column and method
_KINDS: Mapping[str, Literal["audit", "oracle"]] = {"union-find": "audit", "oracle": "oracle"}


def score_references(store: Store, bench: Workbench, pool: Pool, found: Runs, listener: Listener) -> None:
    """Score the study's baselines, on the held-out pairs where the protocol holds some out."""
    column = bench.design.protocol.name
    names = reference_names(bench.study, bench.spectra)
    seeds = [CONFIRMATION_SEED]
    for scores in score_baselines(store, bench, pool, names, seeds, hold_out=True, listener=listener):
        repeats = found.setdefault((column, scores.name), Repeats(_KINDS.get(scores.name, "baseline"), []))
        repeats.failed = scores.reason or repeats.failed
        if scores.cells:
            repeats.repeats.append(scores.held_out or scores.cells)


def score_models(
    store: Store,
    bench: Workbench,
    pool: Pool,
    configurations: Mapping[str, Configuration],
    found: Runs,
    listener: Listener,
    *,
    stop_on_test: bool,
) -> None:
    """Train every configuration on the folds and, with pairs held out, on all training pairs for the epochs that the
    folds chose; with `stop_on_test` once more until the held-out pairs themselves say stop."""
    column, held = bench.design.protocol.name, bench.design.hold_out is not None
    candidates = [Candidate(name, name, "preset", c, None, 1) for name, c in configurations.items()]
    for candidate in candidates:
        found.setdefault((column, candidate.name), Repeats("model", []))
    name = bench.study.name
    failures = train_all(store, bench, pool, confirm_items(candidates, bench), name, listener)
    if held:
        failures |= train_all(store, bench, pool, held_out_items(candidates, bench), name, listener)
    for failed, reason in failures.items():
        found[column, failed].failed = reason
    for candidate in candidates:
        cells = candidate.held_out_cells() if held else candidate.cells(bench.design.folds)
        if cells:
            found[column, candidate.name].repeats.append(cells)
    if not (stop_on_test and held):
        return
    work = [(c, bench.stop_on_test_item(c.configuration)) for c in candidates if c.held_out_cells()]
    stopped: dict[str, ReplicateRecord] = {}
    run_items(pool, _items(bench, work), store, lambda r: stopped.update({r.key: r}), study=bench.study.name)
    for candidate, item in work:
        if item.key not in stopped:
            continue
        pairs = stopped[item.key].pairs
        halves = tuple(half for p in pairs for half in _cross_threshold(p, bench.study.protocol.seed))
        own = tuple(replace(p, threshold=choose_threshold(p.similarity, p.positive)) for p in pairs)
        for name, parts in ((STOPPED, halves), (STOPPED_THRESHOLD, own)):
            found.setdefault((name, candidate.name), Repeats("model", [])).repeats.append([parts])


def _cross_threshold(pairs: PairScores, seed: int) -> tuple[PairScores, PairScores]:
    """Halve judged pairs at random within same and different; each half is judged by the threshold of the other.

    Folds cannot give it: their models were stopped elsewhere, where similarities are spread otherwise.
    """
    rng = np.random.default_rng([seed, 521])
    half = np.zeros(len(pairs.positive), dtype=np.int64)
    for kind in (pairs.positive, ~pairs.positive):
        members = rng.permutation(np.flatnonzero(kind))
        half[members] = np.arange(len(members)) % 2
    thresholds = [choose_threshold(pairs.similarity[half == h], pairs.positive[half == h]) for h in (0, 1)]

    def part(h: int) -> PairScores:
        mine = half == h
        return PairScores(
            pairs.left[mine],
            pairs.right[mine],
            pairs.positive[mine],
            pairs.stratum[mine],
            pairs.similarity[mine],
            thresholds[1 - h],
        )

    return part(0), part(1)


def train_all(
    store: Store, bench: Bench, pool: Pool, work: Iterable[tuple[Candidate, WorkItem]], study: str, listener: Listener
) -> dict[str, str]:
    """Train under the name `study` what is not stored yet and hand each record to its candidates; two may have one
    configuration. Returns why candidates failed, by their names."""
    asked = list(work)
    owners: dict[str, list[Candidate]] = {}
    for candidate, item in asked:
        owners.setdefault(item.key, []).append(candidate)
    failures: dict[str, str] = {}

    def take(record: ReplicateRecord) -> None:
        for owner in owners[record.key]:
            owner.add(record)
            if not (record.pairs or record.classes):
                failures[owner.name] = record.reason

    run_items(pool, _items(bench, asked), store, take, study=study, listener=listener)
    return failures


def _items(bench: Bench, work: Iterable[tuple[Candidate, WorkItem]]) -> list[WorkItem]:
    """The pieces of work with the study that they belong to."""
    return [replace(item, study=bench.study) for _, item in work]
