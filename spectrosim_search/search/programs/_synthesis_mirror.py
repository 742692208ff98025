"""Synthetic spectra beside held-out ones of their class, for the eye: the most, the median and the least alike."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.generation import novelty, weighted_cosines
from spectrosim_search.search.programs._contract import ProgramTask
from spectrosim_search.search.programs._synthesis import intensities, kept_rows
from spectrosim_search.search.programs._synthesis_generator import synthesise
from spectrosim_search.search.programs._synthesis_settings import settings_of
from spectrosim_search.search.records import Mirrored

__all__ = ["mirrored"]

_SHOWN = (0.0, 0.5, 1.0)  # places among the classes by similarity


def mirrored(task: ProgramTask, truth: NDArray[np.int64]) -> Mirrored | None:
    """Make spectra as the run of `task` did and set them beside the judged spectra, of the classes `truth` ``(m,)``.

    None where nothing was made (``use: real``, training that diverged) or no class is on both sides.
    """
    made = synthesise(task)
    both = np.intersect1d(made.classes, truth)
    if not both.size:
        return None
    rows = kept_rows(task.train, task.classes, settings_of(task.configuration).spectra_per_class)
    preprocessing = task.configuration.preprocessing
    own, real = intensities(preprocessing, made.spectra), intensities(preprocessing, task.spectra[task.judged])
    alike = weighted_cosines(own, real, task.axis)
    means = np.array([alike[np.ix_(made.classes == c, truth == c)].mean() for c in both])
    order = np.argsort(-means, kind="stable")
    places = np.unique([round(share * (both.size - 1)) for share in _SHOWN])
    pairs = []
    for code in both[order[places]]:
        i, j = np.flatnonzero(made.classes == code), np.flatnonzero(truth == code)
        values = alike[np.ix_(i, j)].ravel()
        middle = int(np.argsort(values, kind="stable")[(values.size - 1) // 2])
        pairs.append((i[middle // j.size], j[middle % j.size]))
    first, second = np.array(pairs).T
    return Mirrored(
        axis=task.axis,
        made=_even(own[first]),
        real=_even(real[second]),
        classes=both[order[places]],
        ranks=places.astype(np.int64),
        ranked=int(both.size),
        similarity=alike[first, second].astype(np.float32),
        class_similarity=means[order[places]].astype(np.float32),
        novelty=novelty(own[first], intensities(preprocessing, task.spectra[rows]), task.axis).astype(np.float32),
    )


def _even(x: NDArray[np.float64]) -> NDArray[np.float32]:
    return np.asarray(100.0 * x / np.maximum(x.max(axis=1, keepdims=True), 1e-12), np.float32)
