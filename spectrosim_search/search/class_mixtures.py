"""Mixtures of judged spectra, which finalists and reference rows of an identify study take apart.

A program is given the mixtures and how many components they have; which classes those are is known here alone, as it is
of single spectra. Spectra are brought to maximum 1 as measured, so that components weigh alike, and added up. The
mixtures of a fold are the same for every method and training seed.

Shapes: N spectra of the whole set, L channels, M mixtures, k components.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.mixing import ORDERS
from spectrosim_search.evaluation.mixtures import draw_mixtures
from spectrosim_search.evaluation.scores import MixtureScores

__all__ = ["joined_mixtures", "mixture_rows"]


def mixture_rows(
    classes: NDArray[np.int64], judged: NDArray[np.int64], count: int, seed: int
) -> dict[int, NDArray[np.int64]]:
    """Number of components → rows ``(M, k)`` of judged spectra of distinct classes; none where classes are too few.

    classes ``(N,)``; `count` is M, of each number of components.
    """
    names, codes = np.unique(classes[judged], return_inverse=True)
    orders = [order for order in ORDERS if count and order <= len(names)]
    return {order: judged[draw_mixtures(codes.astype(np.int64), order, count, seed)] for order in orders}


def joined_mixtures(
    classes: NDArray[np.int64], rows: Mapping[int, NDArray[np.int64]], components: Mapping[int, NDArray[np.int64]]
) -> tuple[MixtureScores, ...]:
    """Join the components that a method named with the truth; nothing of a method that takes no mixtures apart."""
    return tuple(
        MixtureScores(classes[rows[order]], np.asarray(components[order], dtype=np.int64))
        for order in rows
        if order in components
    )
