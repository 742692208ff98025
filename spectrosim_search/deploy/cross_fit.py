"""Out-of-fold similarities of the very procedure that trains the model: its threshold and error rates rest on them.

Always batch-disjoint, whatever protocol the study had: a model that is handed over meets groups it has never seen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines import BaselineInput, BaselineOutput, linear_metric, plda, run
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.deploy.decision import OutOfFold
from spectrosim_search.deploy.document import LinearMetric
from spectrosim_search.learning.tasks import EvaluationPairs, ReplicateResult, ReplicateTask, TrainingData
from spectrosim_search.protocol.cells import Cell, CellSplit
from spectrosim_search.protocol.design import Design
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra import preprocessing
from spectrosim_search.spectra.preprocessing import describe
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["CrossFit", "Progress", "averaged", "cross_fit_linear", "cross_fit_network", "fit_linear", "train_cells"]

Progress = Callable[[str, float], None]
"""Told what is being done and the share of all the work that is done, 0..1."""


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Scored pairs of all cells, and the epochs chosen in them (two a cell; none where nothing was chosen)."""

    parts: tuple[OutOfFold, ...]
    epochs: tuple[int, ...]
    diverged: int = 0


def cross_fit_network(
    configuration: Configuration,
    spectra: SpectraSet,
    design: Design,
    cells: tuple[Cell, ...],
    *,
    device: str,
    progress: Progress,
) -> CrossFit:
    """Train every cell and keep what it says of the groups it has not seen.

    Each half of a fold is scored at the epoch the other half chose. Where the design has no second halves (4 to 7
    groups) no epoch can be chosen: every cell trains for the configuration's epochs. Raises RunError where every cell
    diverges.
    """
    splits = [design.split(cell.fold, cell.seed) for cell in cells]
    results = train_cells(configuration, spectra, cells, splits, device=device, progress=progress)
    parts: list[OutOfFold] = []
    epochs: list[int] = []
    diverged = [r.reason for r in results if r.status == "diverged"]
    if len(diverged) == len(results):
        raise RunError(f"training diverged in every fold ({diverged[0]}): lower the learning rate")
    for cell, split, result in zip(cells, splits, results):
        for half, similarity in zip(_judged(split), result.similarities):
            parts.append(_part(cell, half, similarity))
        if result.status != "diverged" and len(split.halves[1]):
            epochs.extend(result.chosen_epochs)
    return CrossFit(tuple(parts), tuple(epochs), len(diverged))


def averaged(members: Sequence[CrossFit]) -> CrossFit:
    """The mean of the members' similarities over the very same pairs: what a committee says out of fold.

    A member's cell that diverged says 0 of every pair. Raises ValueError where the members scored other pairs.
    """
    parts: list[OutOfFold] = []
    for same in zip(*(m.parts for m in members), strict=True):
        first = same[0]
        if any(not (np.array_equal(p.left, first.left) and np.array_equal(p.right, first.right)) for p in same):
            raise ValueError("members of a committee were not scored on the same pairs")
        mean = np.mean([p.similarity for p in same], axis=0, dtype=np.float64)
        parts.append(replace(first, similarity=mean.astype(np.float32)))
    return CrossFit(tuple(parts), (), sum(m.diverged for m in members))


def train_cells(
    configuration: Configuration,
    spectra: SpectraSet,
    cells: tuple[Cell, ...],
    splits: list[CellSplit],
    *,
    device: str,
    progress: Progress,
) -> list[ReplicateResult]:
    """Train one replicate a cell and return the results in the order of the cells.

    Fold after fold, so that the spectra of one fold are in memory at a time; the seeds of a fold one after the other on
    a processor, as one stack on a GPU.
    """
    from spectrosim_search.learning.engine import train_stack

    settings = configuration.preprocessing
    rowwise = preprocessing.rowwise(settings, spectra.intensities)  # the same for every fold
    results: dict[int, ReplicateResult] = {}
    for fold in sorted({cell.fold for cell in cells}):
        members = [i for i, cell in enumerate(cells) if cell.fold == fold]
        first = splits[members[0]]  # the training part is the fold's; only the halves differ by seed
        state = preprocessing.fit(settings, rowwise[first.train], channels=len(spectra.axis))
        data = {"fold": TrainingData(state.finish(rowwise), state.axis(spectra.axis), first.groups, first.relation)}
        for chunk in [members] if device.startswith("cuda") else [[i] for i in members]:
            progress("cross-validation", len(results) / len(cells))
            tasks = [_task(configuration, cells[i], splits[i]) for i in chunk]
            found = train_stack(tasks, data, device=device, precision=configuration.training.precision)
            results.update(zip(chunk, found))
    return [results[i] for i in range(len(cells))]


def _task(configuration: Configuration, cell: Cell, split: CellSplit) -> ReplicateTask:
    both = len(split.halves[1]) > 0
    return ReplicateTask(
        key=f"fold {cell.fold} seed {cell.seed}",
        configuration=configuration,
        seed=cell.seed,
        data="fold",
        train=split.train,
        halves=(_pairs(split.halves[0]), _pairs(split.halves[1])) if both else None,
        test=None if both else _pairs(split.halves[0]),
        epochs=None if both else configuration.training.epochs,
    )


def cross_fit_linear(
    settings: LinearMetric, spectra: SpectraSet, design: Design, cells: tuple[Cell, ...], *, progress: Progress
) -> CrossFit:
    """Fit the linear metric, its settings chosen anew, on the training groups of every cell."""
    parts: list[OutOfFold] = []
    for done, cell in enumerate(cells):
        progress("cross-validation", done / len(cells))
        split = design.split(cell.fold, cell.seed)
        halves = _judged(split)
        output = fit_linear(settings, spectra, design, split.train, split.groups, halves, cell.seed)
        parts.extend(_part(cell, half, similarity) for half, similarity in zip(halves, output.similarities))
    return CrossFit(tuple(parts), ())


def fit_linear(
    settings: LinearMetric,
    spectra: SpectraSet,
    design: Design,
    train: NDArray[np.int64],
    groups: NDArray[np.int64],
    pairs: tuple[PairSet, ...],
    seed: int,
) -> BaselineOutput:
    """Fit on the rows `train` and score `pairs`; the reference rows of a study are fitted by the same code."""
    data = BaselineInput(spectra, train, groups, design.codes.labels, None, pairs, seed=seed)
    if settings.settings == "given":
        p = settings.preprocessing
        line = f"{describe(p)}, k {settings.components}, shrinkage {settings.shrinkage:g}"
        fitted = linear_metric.with_settings if settings.comparison == "cosine" else plda.with_settings
        return fitted(data, p, settings.components, settings.shrinkage, line)
    return run(settings.baseline, data)


def _judged(split: CellSplit) -> tuple[PairSet, ...]:
    return tuple(half for half in split.halves if len(half))


def _pairs(half: PairSet) -> EvaluationPairs:
    return EvaluationPairs(half.left, half.right, half.positive, half.stratum)


def _part(cell: Cell, half: PairSet, similarity: NDArray[np.float32]) -> OutOfFold:
    return OutOfFold(cell.fold, cell.seed, half.left, half.right, half.positive, half.stratum, similarity)
