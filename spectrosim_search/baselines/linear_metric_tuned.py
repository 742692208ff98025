"""Linear metric with preprocessing, number of principal axes and shrinkage chosen by inner grouped folds."""

from __future__ import annotations

from itertools import product

import numpy as np

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._cosine import pair_cosine, unit_rows
from spectrosim_search.baselines._inner import InnerFold, InnerScore, best, chosen_line, inner_folds, score
from spectrosim_search.baselines._preprocessing import bases, fixed, with_scale
from spectrosim_search.baselines.linear_metric import AXES, SHRINKAGE, with_settings
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import DataError
from spectrosim_search.learning.metric import principal, whitening, within_covariance
from spectrosim_search.spectra.preprocessing import describe, fit, rowwise

__all__ = ["TITLE", "fit_score"]

TITLE = "linear metric, tuned"

_AXES = (10, 20, 60)
_SHRINKAGE = (0.01, 0.1, 0.5)
_UNDEFINED: InnerScore = (float("nan"), float("nan"))


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Choose on inner folds, fit on all training rows, score; the fixed settings where no inner folds are possible."""
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
                columns.append(_scores(fold, train, state.finish(x[np.searchsorted(rows, fold.judge)])))
            grid += [(settings, k, shrinkage) for k, shrinkage in options]
            scores += [list(row) for row in zip(*columns, strict=True)]
    if not scores or np.isnan(np.array(scores)).all():
        settings = fixed(data)
        line = f"{describe(settings)}, k {AXES}, shrinkage {SHRINKAGE} (too few training groups to choose)"
        return with_settings(data, settings, AXES, SHRINKAGE, line)
    number, value, name = best(data, scores)
    settings, k, shrinkage = grid[number]
    line = chosen_line(f"{describe(settings)}, k {k}, shrinkage {shrinkage}", len(grid), value, name)
    return with_settings(data, settings, k, shrinkage, line)


def _scores(fold: InnerFold, train: np.ndarray, judge: np.ndarray) -> list[InnerScore]:
    """Scores of all (k, shrinkage) of one fold: one PCA serves them, smaller k are its leading axes."""
    try:
        pca = principal(train, max(_AXES))
        covariance = within_covariance(pca.scores, fold.groups)
    except DataError:
        return [_UNDEFINED] * (len(_AXES) * len(_SHRINKAGE))
    projected = (judge - pca.mean) @ pca.axes
    out = []
    for k, shrinkage in product(_AXES, _SHRINKAGE):
        white = projected[:, :k] @ whitening(covariance[:k, :k], shrinkage)
        out.append(score(fold, pair_cosine(unit_rows(white), fold.left, fold.right)))
    return out
