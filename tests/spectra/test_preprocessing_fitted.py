"""MSC, binning and scaling; what holds for every combination."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import ConfigurationError, DataError
from spectrosim_search.spectra.preprocessing import State, describe, fit, rowwise, rowwise_settings
from spectrosim_search.spectra.preprocessing.msc import LEAST_CORRELATION

X = np.random.default_rng(0).gamma(2.0, size=(14, 45)).astype(np.float32)
TRAIN = slice(0, 9)
COMBINATIONS = [
    Preprocessing(intensity, derivative, 7, scale, baseline, 12, 1, binning)
    for intensity, derivative, scale, baseline, binning in product(
        registry.names("spectra.preprocessing"),
        (0, 2),
        ("none", "pareto"),
        ("none", "snip", "arpls", "polynomial"),
        (1, 4),
    )
]


def name_of(asked: Preprocessing) -> str:
    return f"{asked.baseline}-{asked.binning}-{asked.intensity}-{asked.derivative}-{asked.scale}"


@pytest.mark.parametrize("asked", COMBINATIONS, ids=name_of)
def test_every_combination(asked: Preprocessing) -> None:
    state = fit(asked, X[TRAIN])
    out = state.transform(X)
    assert out.dtype == np.float32
    assert out.shape == (14, asked.channels(45)) == (14, 45 if asked.binning == 1 else 12)
    assert state.axis(np.arange(45.0)).shape == (out.shape[1],)
    assert np.isfinite(out).all()
    changed = X.copy()
    changed[9:13] = 100 * changed[9:13][:, ::-1]  # held-out spectra: neither the fit nor another spectrum notices
    np.testing.assert_array_equal(fit(asked, changed[TRAIN]).transform(changed)[[*range(9), 13]], out[[*range(9), 13]])
    np.testing.assert_array_equal(state.transform(X[12:13])[0], out[12])
    part = rowwise_settings(asked)
    shared = rowwise(part, X)
    np.testing.assert_array_equal(shared, rowwise(asked, X))
    assert rowwise_settings(part) == part
    np.testing.assert_array_equal(fit(asked, shared[TRAIN], channels=45).finish(shared), out)
    again = State.from_arrays(asked, {k: v.copy() for k, v in state.to_arrays().items()})
    np.testing.assert_array_equal(again.transform(X), out)
    with pytest.raises(DataError, match="fitted on 45 channels"):
        state.transform(X[:, :44])
    odd = np.zeros((2, 45), np.float32)
    odd[1] = 3
    assert np.isfinite(state.transform(odd)).all()


def test_work_that_is_shared() -> None:
    base = Preprocessing("snv", 1, 7)
    assert rowwise_settings(base) == rowwise_settings(replace(base, scale="pareto", baseline_order=5))
    assert rowwise_settings(base) != rowwise_settings(replace(base, window=9))
    msc = Preprocessing("msc", 1, 7, baseline="snip")
    assert rowwise_settings(msc) == rowwise_settings(Preprocessing("none", baseline="snip"))
    assert rowwise_settings(msc) != rowwise_settings(replace(msc, baseline_width=30))
    x = rowwise(base, X)
    plain = replace(base, scale="none")
    assert fit(plain, x[TRAIN], channels=45).finish(x) is x


# --- MSC ------------------------------------------------------------------------------------------------------------


def test_msc_undoes_what_the_path_of_light_did() -> None:
    shape = np.sin(np.linspace(0, 6, 45)) + 2
    x = np.array([0.5, 1.0, 3.0])[:, None] * shape + np.array([1.0, 0.0, -1.0])[:, None]
    state = fit(Preprocessing("msc", scale="none"), x)
    np.testing.assert_allclose(state.transform(x), np.tile(x.mean(axis=0), (3, 1)), rtol=1e-5)
    np.testing.assert_allclose(state.transform(-7 * x + 2), np.tile(x.mean(axis=0), (3, 1)), rtol=1e-4)


def test_msc_is_the_library_s() -> None:
    scatter = pytest.importorskip("chemotools.scatter", reason="chemotools is the oracle")
    expected = scatter.MultiplicativeScatterCorrection(method="mean").fit(X[TRAIN].astype(np.float64))
    found = fit(Preprocessing("msc", scale="none"), X[TRAIN]).transform(X)
    related = np.abs([np.corrcoef(x, X[TRAIN].mean(axis=0))[0, 1] for x in X]) > LEAST_CORRELATION
    assert related.sum() > 10
    np.testing.assert_allclose(found[related], expected.transform(X.astype(np.float64))[related], rtol=1e-4, atol=1e-4)


def test_snv_is_the_library_s() -> None:
    scatter = pytest.importorskip("chemotools.scatter", reason="chemotools is the oracle")
    expected = scatter.StandardNormalVariate().fit_transform(X.astype(np.float64))
    np.testing.assert_allclose(rowwise(Preprocessing("snv"), X), expected, atol=1e-5)


def test_msc_of_a_spectrum_like_nothing_stays_small() -> None:
    reference = np.sin(np.linspace(0, 2 * np.pi, 101))[:-1] + 5
    across = np.cos(np.linspace(0, 2 * np.pi, 101))[:-1]  # no correlation at all
    state = fit(Preprocessing("msc", scale="none"), np.stack([reference, reference]))
    out = state.transform(np.stack([across, 1000 * across, across + 1e-6 * reference, np.full(100, 8.0)]))
    assert np.ptp(out[0]) == pytest.approx(np.ptp(reference) / LEAST_CORRELATION, rel=0.01)
    np.testing.assert_allclose(out[1], out[0], rtol=1e-3)
    np.testing.assert_allclose(out[2], out[0], rtol=1e-3)
    np.testing.assert_allclose(out[3], 5.0)


def test_msc_needs_a_reference_with_a_shape() -> None:
    cancel = np.stack([X[0], 2 - X[0]])
    for x in (np.full((3, 45), 0.1, np.float32), np.zeros((2, 45), np.float32), cancel):
        with pytest.raises(DataError, match="mean training spectrum, and that is flat: choose 'snv'"):
            fit(Preprocessing("msc"), x)


def test_a_fitted_part_that_is_missing_or_of_another_size() -> None:
    state = fit(Preprocessing("msc", binning=2), X)
    arrays = state.to_arrays()
    with pytest.raises(KeyError, match="reference"):
        State.from_arrays(state.settings, {k: v for k, v in arrays.items() if k != "reference"})
    with pytest.raises(DataError, match=r"'reference' .* shape \(22,\); 45 channels binned by 2 make 23"):
        State.from_arrays(state.settings, {**arrays, "reference": arrays["reference"][:-1]})


# --- binning and scaling --------------------------------------------------------------------------------------------


def test_binning_by_hand() -> None:
    x = np.array([[1.0, 3.0, 5.0, 7.0, 11.0], [0.0, 0.0, -2.0, 2.0, 4.0]])
    asked = Preprocessing("none", scale="none", binning=2)
    state = fit(asked, x)
    np.testing.assert_array_equal(state.transform(x), [[2, 6, 11], [0, 0, 4]])
    np.testing.assert_array_equal(state.axis(np.array([10.0, 11.0, 12.0, 14.0, 17.0])), [10.5, 13, 17])
    np.testing.assert_array_equal(fit(replace(asked, binning=1), x).axis(np.arange(5.0)), np.arange(5.0))


@given(st.integers(2, 60), st.integers(1, 30))
@settings(max_examples=60, deadline=None)
def test_a_binned_axis_rises_inside_the_old_one(length: int, size: int) -> None:
    axis = np.cumsum(np.random.default_rng(length).uniform(0.1, 2, length))
    asked = Preprocessing("none", scale="none", binning=size)
    if asked.channels(length) < 2:
        with pytest.raises(DataError, match="leaves one channel"):
            rowwise(asked, axis[None])
        return
    binned = fit(asked, axis[None]).axis(axis)
    assert (np.diff(binned) > 0).all()
    assert axis[0] <= binned[0] and binned[-1] <= axis[-1]
    np.testing.assert_allclose(rowwise(asked, axis[None])[0], binned, rtol=1e-6)  # spectra and axis alike


def test_the_window_of_a_derivative_counts_bins() -> None:
    asked = Preprocessing("snv", 1, 11, binning=5)
    with pytest.raises(DataError, match=r"11 channels is wider than the spectra \(9 after binning by 5\)"):
        rowwise(asked, X)
    msc = replace(asked, intensity="msc")
    with pytest.raises(DataError, match="wider"):
        fit(msc, rowwise(rowwise_settings(msc), X), channels=45)
    with pytest.raises(ConfigurationError, match="odd"):
        fit(replace(msc, window=8, binning=1), X)


def test_scalings() -> None:
    x = X * np.linspace(0.1, 10, 45, dtype=np.float32)
    out = {
        kind: fit(Preprocessing("none", scale=kind), x[TRAIN]).transform(x)  # type: ignore[arg-type] # literals
        for kind in ("none", "centre", "pareto", "standard")
    }
    deviation = x[TRAIN].std(axis=0)
    np.testing.assert_array_equal(out["none"], x)
    np.testing.assert_allclose(out["centre"], x - x[TRAIN].mean(axis=0), atol=1e-4)
    np.testing.assert_allclose(out["pareto"], out["centre"] / np.sqrt(deviation), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(out["standard"], out["centre"] / deviation, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(out["pareto"][TRAIN].std(axis=0), np.sqrt(deviation), rtol=1e-3)


def test_words() -> None:
    assert describe(Preprocessing("none", scale="none")) == "raw"
    everything = Preprocessing("msc", 2, 9, "pareto", "arpls", 80, 2, 4)
    assert describe(everything) == (
        "arpls baseline over 80 channels, bins of 4 channels, msc + second derivative over 9, channels Pareto scaled"
    )
    assert describe(Preprocessing("sqrt", baseline="polynomial")) == (
        "polynomial baseline of degree 2, sqrt, channels scaled"
    )
