"""Nearest class centre under the linear metric: principal axes whitened by the covariance within classes, cosine.

Preprocessing, axes and shrinkage are chosen by accuracy on inner folds of the training spectra; ties go to the first of
the grid. The plain cosine to class centres is the same without the whitening and takes part. Of a mixture it names the
classes whose sum comes nearest, by what mixtures of training spectra teach about sums in its metric, as a network does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.baselines.classifiers._folds import inner_folds
from spectrosim_search.baselines.classifiers._nearest import components_by
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.evaluation.identification import Gallery
from spectrosim_search.evaluation.mixing import PER_CLASS, Mixing, fit_mixing, practised
from spectrosim_search.evaluation.mixtures import mixture_spectra
from spectrosim_search.learning.metric import LinearMetric, principal, whitening, within_covariance
from spectrosim_search.spectra.preprocessing import State, describe
from spectrosim_search.spectra.preprocessing import fit as fit_preprocessing

__all__ = ["REVISION", "SEEDED", "TITLE", "fit"]

TITLE = "nearest class centre, linear metric"
SEEDED = False
REVISION = 1  # 0 named mixtures by sums of class centres

_INTENSITY = ("sqrt", "none", "log", "snv")
_AXES, _SHRINKAGE = (60, 20, 150, 300), (0.1, 0.5, 0.01)
_Embed = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def _metrics(x: NDArray[np.float32], classes: NDArray[np.int64]) -> Iterator[tuple[str, _Embed]]:
    """The grid over preprocessed spectra ``(n, C)``: a name and how spectra are embedded.

    Where no class has two spectra nothing varies within classes, and there is nothing to whiten by.
    """
    yield "no whitening", lambda z: z
    if np.bincount(classes).max() < 2:
        return
    pca = principal(x, max(_AXES))  # one decomposition serves all numbers of axes
    for k in _AXES:
        if k > _AXES[0] and k > pca.axes.shape[1]:  # as many axes as there are: the first number covers that
            continue
        within = within_covariance(pca.scores[:, :k], classes)
        for shrinkage in _SHRINKAGE:
            metric = LinearMetric(pca.mean, pca.axes[:, :k] @ whitening(within, shrinkage))
            yield f"k {k}, shrinkage {shrinkage:g}", partial(_embedded, metric)


def _embedded(metric: LinearMetric, x: NDArray[np.float32]) -> NDArray[np.float32]:
    return metric.embed(x).astype(np.float32)


@dataclass(frozen=True, eq=False)
class _Fitted:
    """One choice of the grid, fitted on training rows, which are a gallery of the classes `codes`."""

    line: str
    state: State
    embed: _Embed
    known: Gallery
    codes: NDArray[np.int64]

    def table(self, asked: NDArray[np.float32], classes: int) -> NDArray[np.float32]:
        """Similarity of preprocessed spectra ``(q, C)`` to each class; -1 for a class that was not fitted."""
        table = np.full((len(asked), classes), -1.0, dtype=np.float32)
        table[:, self.codes] = self.known.scores(self.embed(asked))
        return table


def _choices(
    given: ClassInput, fitted: NDArray[np.int64], judged: NDArray[np.int64]
) -> Iterator[tuple[_Fitted, NDArray[np.float32]]]:
    """Every choice of the grid, and the judged rows preprocessed for it."""
    raw = given.spectra.intensities
    codes, places = np.unique(given.classes[fitted], return_inverse=True)
    negative = bool((raw < 0).any())
    for intensity in _INTENSITY:
        if negative and intensity in ("sqrt", "log"):
            continue
        settings = Preprocessing(intensity=cast(Literal["none"], intensity), scale="none")
        state = fit_preprocessing(settings, raw[fitted])
        known, asked = state.transform(raw[fitted]), state.transform(raw[judged])
        for line, embed in _metrics(known, places):
            yield _Fitted(f"{describe(settings)}, {line}", state, embed, Gallery(embed(known), places), codes), asked


def _mixing(given: ClassInput, chosen: _Fitted) -> Mixing:
    """What mixtures of the training spectra teach, as many as a configuration of the task makes by default."""
    raw = given.spectra.intensities[given.train]

    def embedded(rows: NDArray[np.int64]) -> NDArray[np.float32]:
        return chosen.embed(chosen.state.transform(mixture_spectra(raw, rows)))

    return fit_mixing(practised(chosen.known.classes, PER_CLASS, given.seed, embedded), chosen.known.centroids)


def fit(given: ClassInput) -> ClassOutput:
    """Choose on inner folds, then fit on all training rows; the first of the grid where nothing can be chosen."""
    right: dict[str, float] = {}
    count = len(given.class_names)
    for fitted, judged in inner_folds(given):
        for choice, asked in _choices(given, fitted, judged):
            named = choice.table(asked, count).argmax(axis=1)
            right[choice.line] = right.get(choice.line, 0.0) + float((named == given.classes[judged]).sum())
    best = max(right, key=lambda line: right[line]) if right else ""
    every = _choices(given, given.train, given.judged)
    chosen, asked = next((choice, asked) for choice, asked in every if best in ("", choice.line))
    table = chosen.table(asked, count)
    mixtures = {order: chosen.embed(chosen.state.transform(x)) for order, x in given.mixtures.items()}
    mixing = _mixing(given, chosen) if mixtures and chosen.known.count > 1 else None
    components = components_by(chosen.known, chosen.codes, mixtures, mixing)
    return ClassOutput(table.argmax(axis=1), table.max(axis=1), chosen.line, components=components)
