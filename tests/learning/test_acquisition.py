"""Acquisition as an augmentation: what it learns of training groups, and that views differ as their spectra do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from spectrosim_search.learning.acquisition import Variation, learn, limits
from spectrosim_search.learning.augmentations.acquisition import Settings, apply, fit
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.randomness import RowStream, Stream
from spectrosim_search.learning.views import Scene
from spectrosim_search.spectra.simulators import simulate

AXIS = np.arange(30.0, 330.0)


def lines(count: int = 200, seed: int = 0) -> np.ndarray:
    """Line spectra ``(n, L)``, base peak 1: 60 peaks each."""
    rng = np.random.default_rng(seed)
    x = np.zeros((count, AXIS.size))
    for row in x:
        row[rng.permutation(AXIS.size)[:60]] = np.exp(rng.normal(scale=1.5, size=60))
    return (x / x.max(axis=1, keepdims=True)).astype(np.float32)


def views(x: np.ndarray, fitting: Fitting, strength: float = 1.0, seed: int = 0, **given: Any) -> np.ndarray:
    settings = Settings(**given)
    fitted = {n: torch.from_numpy(np.asarray(v))[None] for n, v in fit(settings, fitting).items()}
    scene = Scene(torch.from_numpy(fitting.axis).float()[None], fitted, lambda uniform: uniform)
    random = RowStream(Stream.of_seeds([seed], 1), len(x), 0)
    out = apply(settings, torch.from_numpy(x)[None], torch.full((1, 1, 1), strength), random, scene)
    return np.asarray(out[0].numpy())


@pytest.mark.parametrize("strength", [0.5, 1.0])
def test_two_views_differ_as_two_acquisitions_of_a_group(strength: float) -> None:
    x = lines()
    fitting = Fitting(x, np.arange(len(x)), AXIS)
    made = np.stack([views(x, fitting, strength, seed, transfer=0.0) for seed in (0, 1)], axis=1)
    both = made.reshape(-1, AXIS.size)  # two views of every spectrum: a class of two each
    found = learn(both, np.repeat(np.arange(len(x)), 2), AXIS, Variation(9.0, 9.0, 9.0), 0.0)
    assert found.noise == pytest.approx(0.25 * strength, rel=0.1)
    assert found.tilt == pytest.approx(1.0 * strength, rel=0.25)
    # two draws of exp(.3 s N) differ, over their mean, by about .3 s √2: what `learn` calls a power of .3 s
    assert found.power == pytest.approx(0.3 * strength, rel=0.25)


def test_spreads_are_those_of_the_training_groups() -> None:
    s = simulate("ei", compounds=12, spectra=4, mz_high=120, peaks=20)
    x = np.sqrt(s.intensities / s.intensities.sum(axis=1, keepdims=True)).astype(np.float32)
    groups = np.unique(s.groups, return_inverse=True)[1]
    fitting = Fitting(x, groups, s.axis)
    expected = Variation(1.0, 0.3, 0.25)
    measured = learn(x, groups, s.axis, expected, 0.0)
    np.testing.assert_allclose(fit(Settings(prior=0.0), fitting)["spread"], [measured.spreads], rtol=1e-6)
    np.testing.assert_allclose(fit(Settings(prior=1e6), fitting)["spread"], [expected.spreads], rtol=1e-3)
    alone = replace(fitting, groups=np.arange(len(x)))  # groups of one spectrum tell nothing
    np.testing.assert_allclose(fit(Settings(), alone)["spread"], [expected.spreads])


def test_donors_are_training_spectra_each_about_as_often() -> None:
    for count in (7, 200):
        x = lines(count)
        donors = fit(Settings(), Fitting(x, np.arange(count), AXIS))["donors"]
        known = limits(torch.from_numpy(x), torch.from_numpy(AXIS).float()).numpy()
        often = (donors[:, None] == known[None]).all(axis=2).sum(axis=0)
        assert often.sum() >= len(donors)
        assert often.max() <= 1.1 * often.min()


def test_limits_are_passed_on_as_often_as_asked_and_take_peaks_alone() -> None:
    x = lines(400)
    fitting = Fitting(x, np.arange(len(x)), AXIS)
    still = {"tilt": 0.0, "power": 0.0, "noise": 0.0, "prior": 1e6}
    same = views(x, fitting, transfer=0.0, **still)
    np.testing.assert_array_equal(same, x)
    lost = {}
    for strength in (1.0, 0.5):
        out = views(x, fitting, strength, transfer=0.6, **still)
        assert ((out == x) | (out == 0)).all()
        lost[strength] = float((out != x).any(axis=1).mean())
    assert 0.3 < lost[1.0] <= 0.68  # of the 60 % that get a donor: one that records more takes nothing
    assert lost[0.5] == pytest.approx(lost[1.0] / 2, rel=0.3)
    out = views(x, fitting, 3.0)
    assert (out[x == 0] == 0).all()
    whole = views(x, fitting, transfer=0.0)
    assert ((whole > 0) == (x > 0)).all()
    np.testing.assert_allclose(whole.max(axis=1), x.max(axis=1), rtol=1e-5)


def test_channels_below_0_stay() -> None:
    x = lines() - 0.05
    out = views(x, Fitting(lines(), np.arange(200), AXIS), 2.0)
    np.testing.assert_array_equal(out[x <= 0], x[x <= 0])
    assert (out[x > 0] >= 0).all() and (out != x).any()


def test_the_largest_deviations_allowed_keep_the_base_peak_and_are_finite() -> None:
    """A tilt of ten deviations over three decades of m/z is more than a number of this type holds."""
    x = np.zeros((2000, 800), dtype=np.float32)
    rng = np.random.default_rng(0)
    for row in x[:1000]:
        row[rng.permutation(800)[:40]] = rng.random(40) + 1e-3
    for row in x[1000:]:  # peaks at low m/z alone: a tilt takes all of them the same way
        row[rng.permutation(20)[:8]] = 0.01 * (rng.random(8) + 1e-3)
    fitting = Fitting(x, np.arange(len(x)), np.arange(1.0, 801.0))
    for strength in (4.0, 10.0):
        out = views(x, fitting, strength, transfer=0.0)
        assert np.isfinite(out).all()
        np.testing.assert_allclose(out.max(axis=1), x.max(axis=1), rtol=1e-5)
