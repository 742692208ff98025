"""Superpose: spectra of a batch added up as in a mixture."""

from __future__ import annotations

import numpy as np
import torch

from spectrosim_search.learning.augmentations.superpose import Settings, apply
from spectrosim_search.learning.randomness import RowStream, Stream
from spectrosim_search.learning.views import Scene

ROWS = 40


def changed(others: int, strength: float, seed: int = 0) -> np.ndarray:
    """Weights ``(M, M)`` with which the rows of a batch are in each view: spectra that are unit vectors."""
    x = torch.eye(ROWS, dtype=torch.float64).unsqueeze(0)
    scene = Scene(torch.arange(ROWS, dtype=torch.float64).unsqueeze(0), {}, lambda uniform: x)
    random = RowStream(Stream.of_seeds([seed], 3), ROWS, 0)
    size = torch.full((1, 1, 1), strength, dtype=torch.float64)
    out = apply(Settings(others=others), x, size, random, scene)
    return out[0].numpy()


def test_a_view_is_the_weighted_mean_of_itself_and_of_one_to_so_many_others() -> None:
    counts = np.zeros(5)
    for seed in range(40):
        weight = changed(3, 0.5, seed)
        np.testing.assert_allclose(weight.sum(axis=1), 1.0)
        own = np.diagonal(weight)
        added = np.rint((weight / own[:, None] - np.eye(ROWS)) / 0.5)  # how often each other row was taken
        np.testing.assert_allclose((added * 0.5 + np.eye(ROWS)) * own[:, None], weight, atol=1e-12)
        assert (np.diagonal(added) == 0).all()
        counts += np.bincount(added.sum(axis=1).astype(int), minlength=5)
    assert counts[0] == counts[4] == 0
    assert (np.abs(counts[1:4] / counts.sum() - 1 / 3) < 0.05).all()


def test_every_other_row_is_as_likely() -> None:
    taken = sum((changed(1, 1.0, seed) > 0) * 1.0 for seed in range(400)) / 400
    off = taken[~np.eye(ROWS, dtype=bool)]
    assert abs(off.mean() - 1 / (ROWS - 1)) < 1e-9
    assert off.std() < 2 * np.sqrt(1 / 39 / 400)


def test_strength_0_changes_nothing() -> None:
    assert (changed(3, 0.0) == np.eye(ROWS)).all()
