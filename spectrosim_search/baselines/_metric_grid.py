"""Choosing preprocessing, number of principal axes and shrinkage by inner grouped folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._inner import InnerFold, InnerScore, best, chosen_line, inner_folds, score
from spectrosim_search.baselines._preprocessing import bases, fixed, with_scale
from spectrosim_search.baselines.linear_metric import AXES, SHRINKAGE
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import DataError
from spectrosim_search.learning.metric import principal
from spectrosim_search.spectra.preprocessing import describe, fit, rowwise

__all__ = ["Choice", "Similarity", "choose", "tuned"]

# 140 axes and shrinkage of .001 and .0001 were measured and left out: docs/baselines.md
_AXES = (10, 20, 60)
_SHRINKAGE = (0.01, 0.1, 0.5)
_UNDEFINED: InnerScore = (float("nan"), float("nan"))

Floats = NDArray[np.float64]
# (scores (n, k) of the training spectra, their groups (n,), scores (m, k) to judge, shrinkage) → (m, m) similarities
Similarity = Callable[[Floats, NDArray[np.int64], Floats, float], NDArray[np.floating]]
# fits with given preprocessing, axes and shrinkage on all training rows and scores; the last is the line on settings
Fit = Callable[[BaselineInput, Preprocessing, int, float, str], BaselineOutput]


@dataclass(frozen=True)
class Choice:
    """What was chosen, and one line on it."""

    settings: Preprocessing
    axes: int
    shrinkage: float
    line: str


def tuned(data: BaselineInput, similarity: Similarity, fit_given: Fit) -> BaselineOutput:
    """Choose on inner folds by what `similarity` is worth there, then `fit_given` on all training rows and score."""
    chosen = choose(data, similarity)
    return fit_given(data, chosen.settings, chosen.axes, chosen.shrinkage, chosen.line)


def choose(data: BaselineInput, similarity: Similarity) -> Choice:
    """The best of all settings on inner folds; the fixed ones where no inner folds are possible."""
    folds = inner_folds(data)
    options = list(product(_AXES, _SHRINKAGE))
    grid: list[tuple[Preprocessing, int, float]] = []
    scores: list[list[InnerScore]] = []
    rows = np.unique(np.concatenate([f.judge for f in folds])) if folds else np.empty(0, np.int64)
    for base in bases(data) if folds else []:
        x = rowwise(base, data.spectra.intensities[rows])
        for settings in (with_scale(base, "none"), with_scale(base, "standard")):
            columns = []
            for fold in folds:
                state = fit(settings, x[np.searchsorted(rows, fold.fit)], channels=data.spectra.axis.size)
                train = state.finish(x[np.searchsorted(rows, fold.fit)])
                judge = state.finish(x[np.searchsorted(rows, fold.judge)])
                columns.append(_scores(fold, train, judge, similarity))
            grid += [(settings, k, shrinkage) for k, shrinkage in options]
            scores += [list(row) for row in zip(*columns, strict=True)]
    if not scores or np.isnan(np.array(scores)).all():
        settings = fixed(data)
        line = f"{describe(settings)}, k {AXES}, shrinkage {SHRINKAGE} (too few training groups to choose)"
        return Choice(settings, AXES, SHRINKAGE, line)
    number, value, name = best(data, scores)
    settings, k, shrinkage = grid[number]
    line = chosen_line(f"{describe(settings)}, k {k}, shrinkage {shrinkage:g}", len(grid), value, name)
    return Choice(settings, k, shrinkage, line)


def _scores(
    fold: InnerFold, train: NDArray[np.float32], judge: NDArray[np.float32], similarity: Similarity
) -> list[InnerScore]:
    """Scores of all (k, shrinkage) of one fold: one PCA serves them, smaller k are its leading axes.

    Where the spectra have fewer axes than k, k is the same setting as the number they have and is not scored again.
    """
    try:
        pca = principal(train, max(_AXES))
        projected = (judge - pca.mean) @ pca.axes
        known: dict[tuple[int, float], InnerScore] = {}
        for k, shrinkage in product(_AXES, _SHRINKAGE):
            axes = min(k, pca.axes.shape[1])
            if (axes, shrinkage) not in known:
                all_pairs = similarity(pca.scores[:, :axes], fold.groups, projected[:, :axes], shrinkage)
                known[axes, shrinkage] = score(fold, all_pairs[fold.left, fold.right].astype(np.float32))
    except DataError:
        return [_UNDEFINED] * (len(_AXES) * len(_SHRINKAGE))
    return [known[min(k, pca.axes.shape[1]), shrinkage] for k, shrinkage in product(_AXES, _SHRINKAGE)]
