"""The same methods under every protocol: how much of a number is leakage.

Pairs split at random (C1) let a method learn the batches it is judged on, and give some answers away without any
spectrum: the union-find stands beside every column. Batches kept apart (C3) ask what a model does on new ones. Nothing
is searched or chosen here, so no number needs a correction for a selection.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.methods import values_under
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.evaluation.statistics import jackknife
from spectrosim_search.protocol.design import SEARCHABLE
from spectrosim_search.protocol.leakage import expected
from spectrosim_search.search.baseline_items import baseline_items, fit_baseline
from spectrosim_search.search.candidates import Candidate, confirm_items, held_out_items
from spectrosim_search.search.contenders import Method
from spectrosim_search.search.records import DatasetRecord
from spectrosim_search.search.reference import reference_names, reference_scores
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workbench import CONFIRMATION_SEED, Workbench
from spectrosim_search.search.workers.pool import Finished, Pool, WorkerDied
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = [
    "METRICS",
    "PROTOCOLS",
    "Comparison",
    "Model",
    "ProtocolName",
    "ProtocolScore",
    "Repeats",
    "compare_protocols",
    "score_repeats",
    "study_under",
]

ProtocolName = Literal["random-pairs", "shared-batch", "batch-disjoint"]
PROTOCOLS: tuple[ProtocolName, ...] = ("random-pairs", "shared-batch", "batch-disjoint")
METRICS = ("balanced_accuracy", "auc", "matched_auc")
AUDIT = "union-find"


@dataclass(frozen=True)
class Model:
    """A configuration to compare; `note` says what a reader must know of where it comes from."""

    name: str
    configuration: Configuration
    note: str = ""


@dataclass(frozen=True)
class ProtocolScore:
    """One method under one protocol.

    metrics: by :data:`METRICS`, with an interval over groups under `batch-disjoint` only: elsewhere the judged groups
    were seen in training, and no interval speaks of new ones. sd: spread over repeats. repeats: those that ended.
    """

    protocol: ProtocolName
    method: str
    kind: Literal["audit", "baseline", "model", "oracle"]
    metrics: Mapping[str, Estimate]
    sd: Mapping[str, float]
    repeats: int
    note: str = ""

    @property
    def leaks(self) -> bool:
        """Whether the number must be marked as leaking wherever it is shown."""
        return self.protocol == "random-pairs"


@dataclass(frozen=True)
class Comparison:
    """Methods under :data:`PROTOCOLS`; `expected` is what the union-find should score under each."""

    dataset: DatasetRecord
    study: str
    folds: int
    pair_split: float  # share of the pairs in training under random-pairs; 0: folds as elsewhere
    repeats: int
    scores: tuple[ProtocolScore, ...]
    expected: Mapping[str, float]
    warnings: tuple[str, ...] = ()


@dataclass
class Repeats:
    """What one method scored under one protocol, repeat by repeat; `failed`: why one of them has no score."""

    kind: Literal["audit", "baseline", "model", "oracle"]
    repeats: list[Method]
    failed: str = ""
    note: str = ""


def compare_protocols(
    study: Study,
    spectra: SpectraSet,
    models: Sequence[Model],
    start: Callable[[], Pool],
    *,
    repeats: int = 5,
    folds: int = 0,
    pair_split: float = 0.0,
    minutes: float = 0.0,
    say: Callable[[str], None] = lambda text: None,
) -> Comparison:
    """Score the study's baselines and `models` under every protocol, `repeats` times on splits drawn anew.

    folds as in `Protocol`; pair_split: under `random-pairs` train on this share of the pairs and judge on the rest, as
    the papers did, with epoch and threshold chosen on folds of the training pairs; 0 for folds there too. minutes: no
    repeat is begun that would end later than this, but one is always made; 0 for no limit. `start` gives the workers
    and is called only where there is something to train.

    Raises InputError for wrong input and what :func:`make_design` raises, RunError where a worker dies.
    """
    if repeats < 1:
        raise InputError(f"{repeats} repeats: at least one is needed")
    if pair_split and not 0.5 <= pair_split <= 0.9:
        raise InputError(f"pair split {pair_split:g}: give the training share of the pairs, .5 to .9")
    benches = {p: Workbench(spectra, study_under(study, p, 0, folds, pair_split), searchable=False) for p in PROTOCOLS}
    warnings = [w for b in benches.values() for w in b.design.warnings]
    if models and not all(b.design.searchable for b in benches.values()):
        models = ()
        warnings.append(f"too few groups to train models under every protocol ({SEARCHABLE} are needed)")
    found: dict[tuple[ProtocolName, str], Repeats] = {}
    pool = start() if models else None
    started = time.monotonic()
    done = 0
    try:
        for repeat in range(repeats):
            spent = time.monotonic() - started
            if minutes and repeat and spent * (repeat + 1) / repeat > minutes * 60:
                break
            for protocol in PROTOCOLS:
                bench = benches[protocol]
                if repeat:
                    bench = Workbench(
                        spectra, study_under(study, protocol, repeat, folds, pair_split), searchable=False
                    )
                say(f"repeat {repeat + 1} of {repeats}: {protocol}")
                _score_references(bench, found)
                if pool is not None:
                    _score_models(bench, models, pool, found)
            done = repeat + 1
    finally:
        if pool is not None:
            pool.close()
    if done < repeats:
        warnings.append(f"{done} of {repeats} repeats were made in {minutes:g} minutes")
    units = {p: b.design.units for p, b in benches.items()}
    designs = {p: b.design for p, b in benches.items()}
    return Comparison(
        dataset=benches["batch-disjoint"].dataset,
        study=study.name,
        folds=designs["batch-disjoint"].folds,
        pair_split=pair_split,
        repeats=done,
        scores=tuple(score_repeats(p, name, method, units[p]) for (p, name), method in found.items()),
        expected={p: expected(d, held_out=d.hold_out is not None) for p, d in designs.items()},
        warnings=tuple(dict.fromkeys(warnings)),
    )


def study_under(study: Study, protocol: ProtocolName, repeat: int, folds: int, pair_split: float) -> Study:
    """The study under one protocol, its splits and everything drawn in them new in every repeat."""
    given = study.protocol
    single = bool(pair_split) and protocol == "random-pairs"
    changed = replace(
        given,
        name=protocol,
        scoring="hold-out" if single else "corrected-cv",
        hold_out=1.0 - pair_split if single else given.hold_out,
        folds=folds or given.folds,
        seed=given.seed + repeat,
    )
    names = study.baselines if AUDIT in study.baselines else (AUDIT, *study.baselines)
    return replace(study, protocol=changed, seed=study.seed + repeat, baselines=names)


def _score_references(bench: Workbench, found: dict[tuple[ProtocolName, str], Repeats]) -> None:
    kinds: dict[str, Literal["audit", "oracle"]] = {AUDIT: "audit", "oracle": "oracle"}
    protocol = bench.design.protocol.name
    for name in reference_names(bench.study, bench.spectra):
        seeds = [CONFIRMATION_SEED]
        items = baseline_items(bench, [name], seeds, seeds, hold_out=True)
        fits = [fit_baseline(bench, item, worker="here", environment_id="") for item in items]
        scores = reference_scores(name, bench, fits, seeds, seeds, hold_out=True)
        method = found.setdefault((protocol, name), Repeats(kinds.get(name, "baseline"), []))
        method.failed = scores.reason or method.failed
        if scores.cells:
            method.repeats.append(scores.held_out or scores.cells)


def _score_models(
    bench: Workbench, models: Sequence[Model], pool: Pool, found: dict[tuple[ProtocolName, str], Repeats]
) -> None:
    """Train every model on the folds, and with a pair split on all training pairs for the epochs they chose."""
    folds, protocol = bench.design.folds, bench.design.protocol.name
    candidates = [Candidate(m.name, m.name, "preset", m.configuration, None, 1) for m in models]
    failures = _train(confirm_items(candidates, bench), bench.study, pool)
    single = bench.design.hold_out is not None
    if single:
        failures |= _train(held_out_items(candidates, bench), bench.study, pool)
    for model, candidate in zip(models, candidates, strict=True):
        method = found.setdefault((protocol, model.name), Repeats("model", [], note=model.note))
        cells = candidate.held_out_cells() if single else candidate.cells(folds)
        if cells:
            method.repeats.append(cells)
        method.failed = failures.get(model.name, method.failed)


def _train(work: Sequence[tuple[Candidate, WorkItem]], study: Study, pool: Pool) -> dict[str, str]:
    """Train all of it and hand each record to its candidate; returns why candidates failed."""
    owners: dict[str, list[Candidate]] = {}  # two models may have one configuration
    for candidate, item in work:
        owners.setdefault(item.key, []).append(candidate)
    waiting = list({item.key: replace(item, study=study) for _, item in work}.values())[::-1]
    failures: dict[str, str] = {}
    running: set[str] = set()
    while waiting or running:
        while waiting and pool.free > 0:
            item = waiting.pop()
            running.add(item.key)
            pool.submit([item])
        for event in pool.events(1.0):
            if isinstance(event, WorkerDied):
                raise RunError(f"{event.worker} was lost ({event.reason}): look at its memory, or use fewer --workers")
            if not isinstance(event, Finished):
                continue
            record = event.record
            running.discard(record.key)
            for owner in owners[record.key]:
                owner.add(record)
                if not record.pairs:
                    failures[owner.name] = record.reason
    return failures


def score_repeats(protocol: ProtocolName, name: str, method: Repeats, units: NDArray[np.int64]) -> ProtocolScore:
    """Put the repeats of one method together; `units` as in `Design`."""
    notes = [method.note, f"a repeat failed: {method.failed}" if method.failed else ""]
    cells = [cell for repeat in method.repeats for cell in repeat]
    metrics, sd = {}, {}
    for metric in METRICS:
        each = [v for v in (_value(repeat, units, metric) for repeat in method.repeats) if v == v]
        sd[metric] = statistics.stdev(each) if len(each) > 1 else float("nan")
        if protocol == "batch-disjoint":
            metrics[metric] = jackknife(cells, units, metric)
        else:
            metrics[metric] = Estimate(
                _value(cells, units, metric), note="its groups were seen in training: no interval over groups"
            )
    return ProtocolScore(
        protocol, name, method.kind, metrics, sd, len(method.repeats), "; ".join(n for n in notes if n)
    )


def _value(cells: Method, units: NDArray[np.int64], metric: str) -> float:
    """Mean over cells of the mean over their parts, as in every table."""
    if not cells:
        return float("nan")
    blocks = Blocks.of([cells], units)
    return float(values_under([cells], blocks, np.ones((1, blocks.count)), metric)[0, 0])
