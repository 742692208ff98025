"""What the synthesis program and its rivals share: which rows are used, and the scale spectra are made on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import DataError

__all__ = ["checked", "intensities", "kept_rows"]


def intensities(preprocessing: Preprocessing, x: NDArray[np.floating]) -> NDArray[np.float64]:
    """Undo the root or logarithm of preprocessed spectra, up to a factor for each."""
    values = np.maximum(np.asarray(x, np.float64), 0.0)
    if preprocessing.intensity == "sqrt":
        return np.asarray(values**2)
    return np.asarray(np.expm1(values)) if preprocessing.intensity == "log" else values


def checked(spectra: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return preprocessed spectra as they are. Raises DataError where one is below 0."""
    if spectra.size and float(spectra.min()) < 0:
        raise DataError(
            "synthesis needs preprocessed spectra of at least 0: set preprocessing.scale to none, derivative to 0 and "
            "intensity to none, tic, sqrt or log"
        )
    return spectra


def kept_rows(rows: NDArray[np.int64], classes: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """At most `most` of `rows` for each class, 0: all; which ones does not depend on any training seed."""
    if most == 0:
        return rows
    rank = np.random.default_rng(most).permutation(classes.size)[rows]  # by row number: equal for every method
    order = rows[np.argsort(rank, kind="stable")]
    place = np.empty(order.size, np.int64)
    for code in np.unique(classes[order]):
        own = classes[order] == code
        place[own] = np.arange(own.sum())
    return np.sort(order[place < most])
