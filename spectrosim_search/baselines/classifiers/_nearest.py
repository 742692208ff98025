"""From similarities to training spectra to named classes, and from class centres to the components of mixtures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.evaluation.identification import Gallery
from spectrosim_search.evaluation.mixing import Mixing
from spectrosim_search.evaluation.mixtures import name_components

__all__ = ["by_nearest", "by_pairs", "components_by"]

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


def components_by(
    known: Gallery,
    codes: NDArray[np.int64],
    mixtures: Mapping[int, NDArray[np.floating]],
    mixing: Mixing | None = None,
) -> dict[int, NDArray[np.int64]]:
    """Name the components of embedded mixtures, number of components → ``(M, D)``, by sums of class centres, or of
    what `mixing` says that classes add.

    codes ``(K,)``: classes by their number in the gallery. Returns class codes ``(M, k)``; mixtures of more components
    than the gallery has classes are left out.
    """
    find = partial(name_components, centres=known.centroids) if mixing is None else mixing.name_components
    return {order: codes[find(z, order=order)[0][-1]] for order, z in mixtures.items() if order <= known.count}
