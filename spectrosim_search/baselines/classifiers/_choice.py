"""A classifier whose preprocessing and settings are chosen on inner folds of the training rows.

Inner folds keep blocks whole and classes stratified; the share of spectra named rightly over all of them decides, of
equals the first. Whoever wins is fitted again on all training rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._preprocessing import bases, with_scale
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.baselines.classifiers._folds import inner_folds
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.spectra.preprocessing import describe, fit

__all__ = ["Grid", "choose_and_classify"]

Floats = NDArray[np.float64]
Scores = Callable[[Floats], Floats]  # (N, L) → (N, K), columns in the order of the sorted classes fitted on
Fit = Callable[[Floats, NDArray[np.int64], int, Mapping[str, float]], Scores]


@dataclass(frozen=True)
class Grid:
    """What a classifier chooses from: settings, and whether channels are scaled."""

    settings: Sequence[Mapping[str, float]]
    scales: Sequence[Literal["none", "standard"]] = ("none", "standard")


def choose_and_classify(data: ClassInput, grid: Grid, fitted: Fit) -> ClassOutput:
    """Choose on inner folds, fit on all training rows, name the class of the judged rows.

    With spectra of a single class all are named so.
    """
    y = data.classes[data.train]
    if np.unique(y).size < 2:
        only = np.full(data.judged.size, y[0], dtype=np.int64)
        return ClassOutput(only, np.ones(data.judged.size, dtype=np.float32), "one class alone to learn from")
    options = [with_scale(base, scale) for base, scale in itertools.product(bases(data), grid.scales)]
    folds = inner_folds(data, most=True)
    right = np.zeros((len(options), len(grid.settings)))
    judged = sum(b.size for _, b in folds)
    for place, preprocessing in enumerate(options):
        for fit_rows, judge_rows in folds:
            x, new = _prepared(data, preprocessing, fit_rows, judge_rows)
            classes = np.unique(data.classes[fit_rows])
            for number, setting in enumerate(grid.settings):
                scores = fitted(x, data.classes[fit_rows], data.training_seed, setting)(new)
                right[place, number] += (classes[scores.argmax(axis=1)] == data.classes[judge_rows]).sum()
    best = divmod(int(right.argmax()), right.shape[1])
    chosen, setting = options[best[0]], grid.settings[best[1]]
    x, new = _prepared(data, chosen, data.train, data.judged)
    scores = fitted(x, y, data.training_seed, setting)(new)
    named = ", ".join(f"{k.replace('_', ' ')} {v:g}" for k, v in setting.items())
    line = "; ".join(part for part in (describe(chosen), named) if part)
    if folds:
        line += f" (of {right.size} settings; inner accuracy {right.max() / judged:.3f})"
    else:
        line += " (not chosen: no inner folds)"
    return ClassOutput(np.unique(y)[scores.argmax(axis=1)], scores.max(axis=1).astype(np.float32), line)


def _prepared(
    data: ClassInput, preprocessing: Preprocessing, fit_rows: NDArray[np.int64], new_rows: NDArray[np.int64]
) -> tuple[Floats, Floats]:
    """Spectra after preprocessing fitted on the first rows alone, divided by one number fitted there too."""
    measured = data.spectra.intensities
    state = fit(preprocessing, measured[fit_rows])
    x, new = state.transform(measured[fit_rows]).astype(np.float64), state.transform(measured[new_rows])
    size = float(x.std()) or 1.0  # so that penalties and tolerances do not depend on the unit
    return x / size, new.astype(np.float64) / size
