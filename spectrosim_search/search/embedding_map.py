"""A flat picture of how a configuration places spectra of batches it was not trained on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.search.shown import ShownModel

__all__ = ["embedding_map"]


def embedding_map(model: ShownModel) -> NDArray[np.float32]:
    """Project a model's embeddings of its fold's validation spectra on two principal axes.

    Returns float32 ``(N, 2)``; rows that the model was not judged on are NaN. It serves the eye alone: no score is
    taken from it.
    """
    from spectrosim_search.learning.engine import embed

    rows, spectra = model.rows, model.data.spectra
    out = np.full((spectra.shape[0], 2), np.nan, dtype=np.float32)
    z = embed(model.configuration, model.parameters, spectra[rows], model.data.axis).astype(np.float64)
    z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    z -= z.mean(axis=0)
    left, values, _ = np.linalg.svd(z, full_matrices=False)
    flat = left[:, :2] * values[:2]
    out[rows, : flat.shape[1]] = flat
    return out
