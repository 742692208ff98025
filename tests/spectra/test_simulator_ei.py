"""Simulated electron-ionisation spectra."""

from __future__ import annotations

import numpy as np
import pytest

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.spectra.simulators import simulate


def test_shape_and_limits() -> None:
    s = simulate("ei")
    assert s.intensities.shape == (144, 186)
    assert (s.axis[0], s.axis[-1], s.axis_unit) == (15.0, 200.0, "m/z")
    assert np.unique(s.groups, return_counts=True)[1].tolist() == [6] * 24
    assert np.unique(s.labels).size == 4
    np.testing.assert_allclose(s.intensities.max(axis=1), 1000)
    assert (s.intensities >= 0).all()


def test_without_instruments_of_different_kinds_spectra_are_the_profiles() -> None:
    quiet = {"tilt": 0.0, "power": 0.0, "noise": 0.0, "limit": 0.0, "cut": 15}
    s = simulate("ei", **quiet)
    np.testing.assert_allclose(s.intensities, 1000 * s.truth["profiles"][0][np.repeat(np.arange(24), 6)], rtol=1e-5)


def test_an_instrument_records_nothing_below_its_limits() -> None:
    s = simulate("ei", compounds=60, spectra=10, instruments=2, cut=80, limit=0.1)
    for name in ("instrument1", "instrument2"):
        x = s.intensities[s.extra["instrument"] == name]
        seen = x > 0
        whole = np.array([s.axis[row][0] for row in seen])
        assert np.quantile(whole, 0.02) > 15  # the same lowest mass for nearly all of an instrument's records
        assert x[seen].min() > 0


def test_too_many_peaks_or_too_high_a_cut() -> None:
    with pytest.raises(ConfigurationError, match="peaks need"):
        simulate("ei", peaks=80, mz_high=100, cut=30)
    with pytest.raises(ConfigurationError, match="cut 150"):
        simulate("ei", cut=150)
