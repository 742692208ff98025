"""From similarities to training spectra to named classes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["by_nearest", "by_pairs"]

_QUERIES = 256  # judged spectra compared at a time


def by_nearest(
    given: ClassInput, similar: Callable[[NDArray[np.int64]], NDArray[np.floating]], settings: str
) -> ClassOutput:
    """Name the class of the most similar training spectrum; confidence is that similarity.

    `similar`: from judged rows ``(q,)`` to similarities ``(q, n)`` to the training rows. The first of equals counts.
    """
    classes = given.classes[given.train]
    predicted = np.empty(given.judged.size, dtype=np.int64)
    confidence = np.empty(given.judged.size, dtype=np.float32)
    for at in range(0, given.judged.size, _QUERIES):
        part = slice(at, at + _QUERIES)
        table = similar(given.judged[part])
        predicted[part], confidence[part] = classes[table.argmax(axis=1)], table.max(axis=1)
    return ClassOutput(predicted, confidence, settings)


def by_pairs(
    given: ClassInput,
    similarity: Callable[[NDArray[np.int64], NDArray[np.int64]], NDArray[np.floating]],
    settings: str,
) -> ClassOutput:
    """The same for a `similarity` of pairs of rows, ``(P,)`` and ``(P,)`` → ``(P,)``."""

    def similar(rows: NDArray[np.int64]) -> NDArray[np.floating]:
        left, right = np.repeat(rows, given.train.size), np.tile(given.train, rows.size)
        return similarity(left, right).reshape(rows.size, given.train.size)

    return by_nearest(given, similar, settings)
