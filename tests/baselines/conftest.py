from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from spectrosim_search.baselines import BaselineInput
from spectrosim_search.protocol.folds import grouped_folds
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.spectra_set import SpectraSet


def codes(spectra: SpectraSet) -> tuple[np.ndarray, np.ndarray]:
    groups = np.unique(spectra.groups, return_inverse=True)[1]
    labels = np.unique(spectra.labels, return_inverse=True)[1]
    return groups, np.where(spectra.labels == "", -1, labels)


def pair_set(left: np.ndarray, right: np.ndarray, groups: np.ndarray, labels: np.ndarray) -> PairSet:
    low, high = np.minimum(labels[left], labels[right]), np.maximum(labels[left], labels[right])
    stratum = np.where(low < 0, -1, low * (labels.max() + 1) + high)
    return PairSet(left, right, groups[left] == groups[right], stratum)


@pytest.fixture
def held_out() -> Callable[..., BaselineInput]:
    """Batch-disjoint: one third of the groups held out, all their pairs to be scored."""

    def make(spectra: SpectraSet, seed: int = 0) -> BaselineInput:
        known = np.flatnonzero(spectra.groups != "")
        fold = np.full(len(spectra), -1)
        fold[known] = grouped_folds(spectra.groups[known], spectra.labels[known], spectra.split[known], 3, seed)
        groups, labels = codes(spectra)
        test = np.flatnonzero(fold == 0)
        i, j = np.triu_indices(test.size, 1)
        pairs = pair_set(test[i], test[j], groups, labels)
        return BaselineInput(spectra, np.flatnonzero(fold > 0), groups, labels, None, (pairs,), seed=seed)

    return make


@pytest.fixture
def shared() -> Callable[..., BaselineInput]:
    """Shared-batch: the last spectrum of every group held out, scored against all training spectra."""

    def make(spectra: SpectraSet) -> BaselineInput:
        groups, labels = codes(spectra)
        test = np.unique(groups[::-1], return_index=True)[1]
        test = np.sort(len(spectra) - 1 - test)
        train = np.setdiff1d(np.arange(len(spectra)), test)
        left, right = (a.ravel() for a in np.meshgrid(test, train, indexing="ij"))
        return BaselineInput(spectra, train, groups, labels, None, (pair_set(left, right, groups, labels),))

    return make
