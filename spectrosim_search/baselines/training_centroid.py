"""Nearest training-group centroid: the reference row of `shared-batch`, where union-find is one half.

A held-out spectrum is compared not with the training spectrum of a pair but with the mean of that spectrum's
group, so everything known of the group is used and nothing learnt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._cosine import unit_rows
from spectrosim_search.baselines._known import training_groups
from spectrosim_search.baselines._preprocessing import fixed
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.preprocessing import describe, fit

__all__ = ["TITLE", "fit_score"]

TITLE = "nearest training centroid"


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Cosine between a spectrum and the centroid of its partner's training group.

    Of two training spectra: the mean of both directions. Of two held-out spectra (`batch-disjoint`): the cosine
    between their profiles of similarity to all training centroids.
    """
    settings = fixed(data)
    state = fit(settings, data.spectra.intensities[data.train])
    unit = unit_rows(state.transform(data.spectra.intensities))
    codes = np.unique(training_groups(data), return_inverse=True)[1]
    sums = np.zeros((int(codes.max()) + 1, unit.shape[1]))
    np.add.at(sums, codes, unit[data.train])
    centroids = unit_rows(sums / np.bincount(codes)[:, None])
    group = np.full(len(data.spectra), -1, dtype=np.int64)
    group[data.train] = codes
    to_centroids = unit @ centroids.T  # (N, G)
    profiles = unit_rows(to_centroids - to_centroids.mean(axis=1, keepdims=True))
    similarities = tuple(_score(p, group, to_centroids, profiles) for p in data.pairs)
    return BaselineOutput(similarities, describe(settings), settings)


def _score(
    pairs: PairSet, group: NDArray[np.int64], to_centroids: NDArray[np.float64], profiles: NDArray[np.float64]
) -> NDArray[np.float32]:
    a, b = group[pairs.left], group[pairs.right]
    left_to_right = to_centroids[pairs.left, np.maximum(b, 0)]
    right_to_left = to_centroids[pairs.right, np.maximum(a, 0)]
    neither = np.einsum("pg,pg->p", profiles[pairs.left], profiles[pairs.right])
    both = (left_to_right + right_to_left) / 2
    chosen = np.select([(a >= 0) & (b >= 0), b >= 0, a >= 0], [both, left_to_right, right_to_left], default=neither)
    return chosen.astype(np.float32)
