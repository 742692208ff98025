"""A flat picture of the winner's embeddings of spectra that it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.search.shown import ShownModel

__all__ = ["SHOWN", "embedding_map"]

SHOWN = 3  # members of a committee in the picture: each is trained once more, and more hardly change it


def embedding_map(models: Sequence[ShownModel]) -> NDArray[np.float32]:
    """Project embeddings of the first fold's validation spectra on two principal axes; `models` share fold and seed.

    Unit vectors of several models are joined: the cosine of the joined vectors is the mean of the cosines. Where a
    model does not compare by cosine alone, the coordinates it compares take their place, without the own terms. Returns
    float32 ``(N, 2)``; rows that the models were not judged on are NaN. It serves the eye alone: no score is taken from
    it.
    """
    from spectrosim_search.learning.engine import embed

    rows = models[0].rows
    out = np.full((models[0].data.spectra.shape[0], 2), np.nan, dtype=np.float32)
    units = []
    for model in models:
        z = embed(model.configuration, model.parameters, model.data.spectra[rows], model.data.axis).astype(np.float64)
        if model.configuration.training.own_terms:
            units.append(z[:, :-1])
        else:
            units.append(z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12))
    joined = np.concatenate(units, axis=1) / np.sqrt(len(units))
    joined -= joined.mean(axis=0)
    left, values, _ = np.linalg.svd(joined, full_matrices=False)
    flat = left[:, :2] * values[:2]
    out[rows, : flat.shape[1]] = flat
    return out
