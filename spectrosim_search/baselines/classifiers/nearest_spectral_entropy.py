"""Class of the training spectrum with the largest spectral entropy similarity (Li et al. 2021)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.baselines.classifiers._nearest import by_pairs
from spectrosim_search.baselines.spectral_entropy import entropy_similarity, normalised

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "nearest spectrum, spectral entropy"
SEEDED = False


def fit(given: ClassInput) -> ClassOutput:
    """Nothing is fitted. Every judged spectrum is mixed with every training spectrum: slow for many long ones."""
    rows = np.unique(np.concatenate([given.train, given.judged]))
    shares = normalised(given.spectra.intensities[rows])

    def similarity(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.floating]:
        return entropy_similarity(shares, np.searchsorted(rows, left), np.searchsorted(rows, right))

    return by_pairs(given, similarity, "entropy-weighted below 3 nats")
