from __future__ import annotations

from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.spectra.preprocessing import rowwise
from spectrosim_search.spectra.preprocessing._baseline import arpls, polynomial, snip

NAMES = registry.names("spectra.preprocessing._baseline")
LENGTH = 300


def humps(rows: int = 6, *, noise: float = 0.02, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Narrow peaks (without baseline) and broad baselines."""
    rng = np.random.default_rng(seed)
    t = np.arange(LENGTH)
    peaks = np.zeros((rows, LENGTH))
    for row in peaks:
        for place in rng.uniform(20, LENGTH - 20, 6):
            row += rng.uniform(0.5, 2) * np.exp(-(((t - place) / 3) ** 2))
    baseline = 3 + rng.uniform(0.5, 2, (rows, 1)) * np.sin(t / 150 + rng.uniform(0, 3, (rows, 1)))
    return peaks + noise * rng.normal(size=peaks.shape), baseline


def configured(name: str, **more: int) -> Preprocessing:
    return Preprocessing("none", scale="none", baseline=name, **more)  # type: ignore[arg-type] # literals


def test_the_registry_and_the_configuration_agree() -> None:
    assert {"none", *NAMES} == set(get_args(get_type_hints(Preprocessing)["baseline"]))


def test_snip_is_the_library_s_on_a_padded_spectrum() -> None:
    pybaselines = pytest.importorskip("pybaselines", reason="pybaselines is the oracle")
    peaks, baseline = humps()
    x, half = peaks + baseline, 20
    ours = snip.estimate(np.pad(x, ((0, 0), (half, half)), mode="edge"), configured("snip", baseline_width=2 * half))
    for row, found in zip(x, ours[:, half:-half]):
        keywords = {"decreasing": True, "pad_kwargs": {"mode": "edge"}}
        expected, _ = pybaselines.Baseline().snip(row, max_half_window=half, **keywords)
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("width", [20, 100, 600])
def test_arpls_is_the_library_s(width: int) -> None:
    pybaselines = pytest.importorskip("pybaselines", reason="pybaselines is the oracle")
    peaks, baseline = humps(seed=width)
    asked = configured("arpls", baseline_width=width)
    ours = arpls.estimate(peaks + baseline, asked)
    for row, found in zip(peaks + baseline, ours):
        expected, _ = pybaselines.Baseline().arpls(row, lam=arpls.smoothness(asked), tol=1e-3, max_iter=49)
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_snip_by_hand() -> None:
    x = np.array([[1.0, 1.0, 9.0, 1.0, 3.0]])
    np.testing.assert_array_equal(snip.estimate(x, configured("snip", baseline_width=4)), [[1, 1, 1, 1, 3]])


def test_the_smoother_halves_a_wave_of_the_width() -> None:
    """All weights one: the first fit of arpls, before any reweighting, by a dense solve of the same system."""
    width, length = 40, 800
    bands = arpls._second_differences(length)
    dense = np.diag(bands[2]) + np.diag(bands[1, 1:], 1) + np.diag(bands[0, 2:], 2)
    dense += np.triu(dense, 1).T
    difference = np.diff(np.eye(length), 2, axis=0)
    np.testing.assert_array_equal(dense, difference.T @ difference)
    wave = np.sin(2 * np.pi * np.arange(length) / width)
    smooth = np.linalg.solve(np.eye(length) + arpls.smoothness(configured("arpls", baseline_width=width)) * dense, wave)
    ratio = np.abs(smooth[200:600]).max() / np.abs(wave).max()
    assert ratio == pytest.approx(0.5, abs=0.01)


def test_polynomials_vanish_and_the_rest_is_orthogonal_to_them() -> None:
    t = np.linspace(0, 1, LENGTH)
    parabola = np.array([3 - 2 * t + 4 * t**2])
    peaks, _ = humps(1)
    asked = configured("polynomial", baseline_order=2)
    assert (rowwise(asked, parabola) == 0).all()
    left = peaks - polynomial.estimate(peaks, asked)
    np.testing.assert_allclose(rowwise(asked, peaks + parabola), left, atol=1e-6)
    np.testing.assert_allclose(np.polynomial.polynomial.polyfit(t, left[0], 2), 0, atol=1e-10)
    np.testing.assert_allclose(left[0], peaks[0] - np.polyval(np.polyfit(t, peaks[0], 2), t), atol=1e-10)


@pytest.mark.parametrize(("name", "close"), [("snip", 0.2), ("arpls", 0.05)])
def test_what_is_left_is_the_peaks(name: str, close: float) -> None:
    peaks, baseline = humps()
    left = rowwise(configured(name, baseline_width=60), peaks + baseline)
    inside = slice(30, -30)
    assert np.abs(left - peaks)[:, inside].mean() < close * np.ptp(baseline, axis=1).mean()
    assert np.corrcoef(left[:, inside].ravel(), peaks[:, inside].ravel())[0, 1] > 0.97
    assert np.corrcoef((peaks + baseline)[:, inside].ravel(), peaks[:, inside].ravel())[0, 1] < 0.6


@pytest.mark.parametrize("name", NAMES)
def test_a_row_never_depends_on_another(name: str) -> None:
    peaks, baseline = humps(40)
    asked = configured(name, baseline_width=50)
    together = rowwise(asked, peaks + baseline)
    for row in (0, 17, 39):
        np.testing.assert_array_equal(rowwise(asked, (peaks + baseline)[row : row + 1])[0], together[row])


@pytest.mark.parametrize("name", NAMES)
@given(
    arrays(np.float32, st.tuples(st.integers(1, 3), st.integers(1, 24)), elements=st.floats(-1e6, 1e6, width=32)),
    st.integers(4, 1000),
)
@settings(max_examples=60, deadline=None)
def test_any_spectrum_leaves_finite_values(name: str, x: np.ndarray, width: int) -> None:
    before = x.copy()
    left = rowwise(configured(name, baseline_width=width), x)
    assert left.shape == x.shape
    assert np.isfinite(left).all()
    assert np.array_equal(before, x)
    assert np.abs(left).max() <= 4 * max(1.0, float(np.abs(x).max()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, 0.1, -3.0, 1e6])
def test_flat_spectra_become_exactly_zero(name: str, value: float) -> None:
    for width in (4, 200, 1000):
        assert (rowwise(configured(name, baseline_width=width), np.full((2, 77), value, np.float32)) == 0).all()


@pytest.mark.parametrize("intensity", ["sqrt", "log"])
@pytest.mark.parametrize("name", NAMES)
def test_below_a_removed_baseline_counts_as_zero(intensity: str, name: str) -> None:
    peaks, baseline = humps()
    x = peaks + baseline - 3  # negative in places
    assert x.min() < 0
    asked = Preprocessing(intensity, scale="none", baseline=name, baseline_width=60)  # type: ignore[arg-type] # literals
    plain = rowwise(configured(name, baseline_width=60), x)
    out = rowwise(asked, x)
    assert np.isfinite(out).all()
    assert ((out > 0) == (plain > 0)).all()
    assert (out[plain <= 0] == 0).all()
