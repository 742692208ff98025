"""Cosine similarity with the preprocessing chosen by inner grouped folds of the training spectra."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._cosine import pair_cosine, unit_rows
from spectrosim_search.baselines._inner import InnerScore, best, chosen_line, inner_folds, score
from spectrosim_search.baselines._preprocessing import bases, score_rows, with_scale
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.spectra.preprocessing import describe, fit, rowwise

__all__ = ["TITLE", "fit_score"]

TITLE = "cosine, tuned"


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Choose among none, tic, sqrt, log, snv, snv + first or second derivative, channels scaled or not.

    Where the training groups allow no inner folds: tic.
    """
    folds = inner_folds(data)
    raw = data.spectra.intensities
    grid: list[Preprocessing] = []
    scores: list[list[InnerScore]] = []
    rows = np.unique(np.concatenate([f.judge for f in folds])) if folds else np.empty(0, np.int64)
    for base in bases(data) if folds else []:
        x = rowwise(base, raw[rows])
        for settings in (with_scale(base, "none"), with_scale(base, "standard")):
            grid.append(settings)
            values = []
            for fold in folds:
                state = fit(settings, _at(x, rows, fold.fit), channels=data.spectra.axis.size)
                unit = unit_rows(state.finish(_at(x, rows, fold.judge)))
                values.append(score(fold, pair_cosine(unit, fold.left, fold.right)))
            scores.append(values)
    if scores:
        number, value, name = best(data, scores)
        chosen, line = grid[number], chosen_line(describe(grid[number]), len(grid), value, name)
    else:
        chosen = Preprocessing(intensity="tic", scale="none")
        line = "tic (too few training groups to choose)"
    state = fit(chosen, raw[data.train])
    return BaselineOutput(score_rows(data, state, lambda x: x), line, chosen)


def _at(x: NDArray[np.float32], rows: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.float32]:
    return x[np.searchsorted(rows, wanted)]
