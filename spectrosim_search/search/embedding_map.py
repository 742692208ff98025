"""A flat picture of how a configuration places spectra of batches it was not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.search.workbench import Workbench

__all__ = ["embedding_map"]

SHOWN = 3  # members of a committee in the picture


def embedding_map(bench: Workbench, configurations: Sequence[Configuration]) -> NDArray[np.float32]:
    """Train one replicate of each configuration and project the embeddings of the validation spectra of the first fold
    on two principal axes.

    Unit vectors of several configurations are joined: the cosine of the joined vectors is the mean of the cosines. Of
    more than three the first three are taken, for each is trained once more and the picture hardly changes.
    Returns float32 ``(N, 2)``; rows that the replicates were trained on are NaN. It serves the eye alone: no score is
    taken from it.
    """
    out = np.full((len(bench.spectra), 2), np.nan, dtype=np.float32)
    found = [_placed(bench, configuration) for configuration in configurations[:SHOWN]]
    known = [one for one in found if one is not None]
    if not known or len(known) < len(found):
        return out
    rows = known[0][0]
    z = np.concatenate([unit for _, unit in known], axis=1) / np.sqrt(len(known))
    z -= z.mean(axis=0)
    left, values, _ = np.linalg.svd(z, full_matrices=False)
    flat = left[:, :2] * values[:2]
    out[rows, : flat.shape[1]] = flat
    return out


def _placed(bench: Workbench, configuration: Configuration) -> tuple[NDArray[np.int64], NDArray[np.float64]] | None:
    """Validation rows of the first fold and their unit embeddings; None where there are none."""
    from spectrosim_search.learning.engine import embed, train_stack

    item = bench.confirmation_items(configuration, 1)[0]
    task = replace(bench.task(item), return_parameters=True)
    data = bench.data([item])
    (result,) = train_stack([task], data, precision=configuration.training.precision)
    if task.halves is None or not result.parameters:
        return None
    rows = np.unique(np.concatenate([np.concatenate([h.left, h.right]) for h in task.halves]))
    prepared = data[task.data]
    z = embed(configuration, result.parameters, prepared.spectra[rows], prepared.axis).astype(np.float64)
    return rows, z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
