"""Simulated near-infrared spectra: the default's shape, and that plain folds flatter."""

from __future__ import annotations

import numpy as np
import pytest

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.spectra.simulators import simulate

SMALL = {"batches": 8, "batch_size": 3, "channels": 64}


def test_the_default_set() -> None:
    s = simulate("nir")
    assert s.intensities.shape == (168, 400)
    assert np.unique(s.groups).size == 28
    assert np.unique(s.labels, return_counts=True)[1].tolist() == [42, 42, 42, 42]
    for group in np.unique(s.groups):
        assert np.unique(s.labels[s.groups == group]).size == 1
    assert np.unique(s.sample_ids).size == 168


def test_an_empty_axis_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is not below"):
        simulate("nir", low=9000.0, high=8000.0)


@pytest.mark.parametrize("name", ["noise", "scatter", "baseline", "batch_baseline", "shift", "band_width"])
def test_a_nuisance_changes_spectra_and_not_the_concentrations(name: str) -> None:
    a, b = simulate("nir", **SMALL), simulate("nir", **SMALL, **{name: 0.2 if name != "band_width" else 90.0})
    assert (a.intensities != b.intensities).any()
    np.testing.assert_array_equal(a.truth["concentrations"], b.truth["concentrations"])


def test_without_nuisance_spectra_are_mixtures_of_the_ingredients() -> None:
    quiet = dict.fromkeys(("noise", "scatter", "baseline", "batch_baseline", "shift"), 0.0)
    s = simulate("nir", **{**SMALL, "ingredients": 3}, **quiet)
    solved, rest, rank, _ = np.linalg.lstsq(s.truth["concentrations"], s.intensities.astype(np.float64), rcond=None)
    assert rank == 3
    assert rest.max() < 1e-8
    assert (solved >= -1e-5).all()


def test_a_neighbour_from_the_own_batch_flatters() -> None:
    """One nearest neighbour: with the whole own batch left out far fewer classes are right."""
    s = simulate("nir")
    x = s.intensities - s.intensities.mean(axis=1, keepdims=True)
    x = x / x.std(axis=1, keepdims=True)
    distance = ((x[:, None] - x[None]) ** 2).sum(axis=2)
    right = []
    for hidden in (np.eye(len(s), dtype=bool), s.groups[:, None] == s.groups[None]):
        nearest = np.where(hidden, np.inf, distance).argmin(axis=1)
        right.append(float((s.labels[nearest] == s.labels).mean()))
    assert right[0] > right[1] + 0.1
    assert right[1] > 0.35, "chance is a quarter"
