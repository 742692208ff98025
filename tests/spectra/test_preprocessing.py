from __future__ import annotations

from typing import get_args, get_type_hints

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.errors import ConfigurationError, DataError
from spectrosim_search.spectra.preprocessing import State, fit, rowwise

NAMES = registry.names("spectra.preprocessing")
ROWWISE = [name for name in NAMES if not registry.load("spectra.preprocessing", name).FITTED]
X = np.random.default_rng(0).gamma(2.0, size=(12, 40)).astype(np.float32)


def test_the_registry_and_the_configuration_agree() -> None:
    assert set(NAMES) == set(get_args(get_type_hints(Preprocessing)["intensity"]))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("derivative", [0, 1, 2])
@pytest.mark.parametrize("scale", ["none", "standard"])
def test_contract(name: str, derivative: int, scale: str) -> None:
    before = X.copy()
    state = fit(Preprocessing(name, derivative, 7, scale), X[:8])  # type: ignore[arg-type] # literals from the registry
    out = state.transform(X)
    assert out.dtype == np.float32
    assert out.shape == X.shape
    assert np.isfinite(out).all()
    assert (before == X).all()
    np.testing.assert_array_equal(state.transform(X[3:4]), out[3:4])  # a spectrum does not depend on its neighbours
    assert state.transform(X[:0]).shape == (0, 40)
    again = State.from_arrays(state.settings, state.to_arrays())
    np.testing.assert_array_equal(again.transform(X), out)
    if scale == "standard":
        np.testing.assert_allclose(out[:8].mean(axis=0), 0, atol=1e-4)
        np.testing.assert_allclose(out[:8].std(axis=0), 1, atol=1e-3)


@pytest.mark.parametrize("name", ROWWISE)
@pytest.mark.parametrize("value", [0.0, 3.0])
def test_flat_spectra_stay_finite(name: str, value: float) -> None:
    flat = np.full((3, 40), value, np.float32)
    for derivative in (0, 1):
        out = fit(Preprocessing(name, derivative, 7, "standard"), flat).transform(flat)  # type: ignore[arg-type] # as above
        assert (out == 0).all()


def test_transforms_by_hand() -> None:
    x = np.array([[1.0, 3.0], [0.0, 2.0]])
    np.testing.assert_allclose(rowwise(Preprocessing("tic"), x), [[0.25, 0.75], [0, 1]])
    np.testing.assert_allclose(rowwise(Preprocessing("sqrt"), x), np.sqrt([[0.25, 0.75], [0, 1]]), rtol=1e-6)
    np.testing.assert_allclose(rowwise(Preprocessing("log"), x), np.log([[1.5, 2.5], [1, 3]]), rtol=1e-6)
    np.testing.assert_allclose(rowwise(Preprocessing("snv"), x), [[-1, 1], [-1, 1]])
    np.testing.assert_allclose(rowwise(Preprocessing("tic"), np.array([[-1.0, 3.0]])), [[-0.25, 0.75]])


def test_derivatives_are_exact_on_parabolas() -> None:
    t = np.arange(30.0)
    x = (2 * t**2 - 3 * t + 1)[None]
    np.testing.assert_allclose(rowwise(Preprocessing("none", 1, 9), x)[0], 4 * t - 3, atol=1e-4)
    np.testing.assert_allclose(rowwise(Preprocessing("none", 2, 9), x)[0], 4, atol=1e-3)


@given(arrays(np.float64, (3, 12), elements=st.floats(0, 1e6)), st.floats(0.01, 100))
@settings(max_examples=40, deadline=None)
def test_the_intensity_scale_of_a_spectrum_does_not_matter(x: np.ndarray, factor: float) -> None:
    x = np.where(x < 1e-3, 0.0, x)
    for name in ("tic", "sqrt", "log", "snv"):
        one = rowwise(Preprocessing(name), x)  # type: ignore[arg-type] # literals
        np.testing.assert_allclose(rowwise(Preprocessing(name), x * factor), one, atol=1e-5)  # type: ignore[arg-type] # literals


def test_scaling_uses_training_spectra_only() -> None:
    train, test = X[:6], X[6:] * 1000
    state = fit(Preprocessing("none", scale="standard"), train)
    np.testing.assert_allclose(state.mean, train.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(state.transform(test), (test - train.mean(axis=0)) / train.std(axis=0), rtol=1e-3)


def test_constant_channels_become_zero_everywhere() -> None:
    train = X.copy()
    train[:, 4] = 0.1
    test = X.copy()
    state = fit(Preprocessing("none", scale="standard"), train)
    assert (state.transform(test)[:, 4] == 0).all()
    assert (state.transform(test)[:, 5] != 0).all()


def test_settings_that_differ_in_scaling_share_work() -> None:
    settings_ = Preprocessing("snv", 1, 7, "standard")
    done = rowwise(settings_, X)
    a, b = fit(settings_, X), fit(settings_, done, channels=X.shape[1])
    np.testing.assert_array_equal(a.transform(X), b.finish(done))


def test_wrong_input() -> None:
    negative = X.copy()
    negative[2, 5] = -1
    for name in ("sqrt", "log"):
        with pytest.raises(DataError, match=r"cannot take negative intensities \(spectrum 3, channel 6 is -1\)"):
            fit(Preprocessing(name), negative)  # type: ignore[arg-type] # literals
        with pytest.raises(DataError, match="negative"):
            fit(Preprocessing(name), X).transform(negative)  # type: ignore[arg-type] # literals
    with pytest.raises(DataError, match="wider than the spectra"):
        rowwise(Preprocessing("none", 1, 41), X)
    with pytest.raises(ConfigurationError, match="must be odd"):
        rowwise(Preprocessing("none", 1, 8), X)
    with pytest.raises(DataError, match="fitted on 40 channels"):
        fit(Preprocessing(), X).transform(X[:, :39])
    with pytest.raises(DataError, match="at least one spectrum"):
        fit(Preprocessing(), X[:0])
