"""A flat picture of how a configuration places spectra of batches it was not trained on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.search.workbench import Workbench

__all__ = ["embedding_map"]


def embedding_map(bench: Workbench, configuration: Configuration) -> NDArray[np.float32]:
    """Train one replicate and project its embeddings of the validation spectra of the first fold on two principal axes.

    Returns float32 ``(N, 2)``; rows that the replicate was trained on are NaN. It serves the eye alone: no score is
    taken from it.
    """
    from spectrosim_search.learning.engine import embed, train_stack

    item = bench.confirmation_items(configuration, 1)[0]
    task = replace(bench.task(item), return_parameters=True)
    data = bench.data([item])
    (result,) = train_stack([task], data, precision=configuration.training.precision)
    out = np.full((len(bench.spectra), 2), np.nan, dtype=np.float32)
    if task.halves is None or not result.parameters:
        return out
    rows = np.unique(np.concatenate([np.concatenate([h.left, h.right]) for h in task.halves]))
    prepared = data[task.data]
    z = embed(configuration, result.parameters, prepared.spectra[rows], prepared.axis).astype(np.float64)
    z /= np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    z -= z.mean(axis=0)
    left, values, _ = np.linalg.svd(z, full_matrices=False)
    flat = left[:, :2] * values[:2]
    out[rows, : flat.shape[1]] = flat
    return out
