"""PLS and OPLS against independent implementations and their own properties."""

from __future__ import annotations

import numpy as np
import pytest
from chemotools.projection import OrthogonalPLS
from sklearn.cross_decomposition import PLSRegression

from spectrosim_search.baselines._pls import fit_opls, fit_pls


def spectra(n: int, length: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(n, 6))
    x = scores @ rng.normal(size=(6, length)) + 0.1 * rng.normal(size=(n, length)) + 5
    return x, scores[:, 0] - 0.5 * scores[:, 3] + 0.1 * rng.normal(size=n) + 2


@pytest.mark.parametrize("components", [1, 3, 5])
@pytest.mark.parametrize("length", [12, 80])
def test_pls_is_that_of_scikit_learn(components: int, length: int) -> None:
    x, y = spectra(40, length)
    fitted = fit_pls(x, y, components)
    expected = PLSRegression(components, scale=False).fit(x, y).predict(x)
    np.testing.assert_allclose(fitted.predict(x), expected.ravel(), atol=1e-8)
    assert fitted.components == components


@pytest.mark.parametrize("orthogonal", [0, 1, 4])
@pytest.mark.parametrize("weigh", [False, True])
def test_opls_predicts_what_pls_does(orthogonal: int, weigh: bool) -> None:
    x, y = spectra(40, 60, 1)
    weight = np.random.default_rng(2).uniform(0.2, 3, 40) if weigh else None
    new, _ = spectra(15, 60, 3)
    opls, pls = fit_opls(x, y, orthogonal, weight), fit_pls(x, y, 1 + orthogonal, weight)
    np.testing.assert_allclose(opls.predict(new), pls.predict(new), atol=1e-8)


@pytest.mark.parametrize("orthogonal", [1, 3])
def test_opls_takes_off_what_another_implementation_does(orthogonal: int) -> None:
    x, y = spectra(40, 60, 1)
    centred = x - x.mean(axis=0)
    other = OrthogonalPLS(n_components=orthogonal, copy=True).fit(centred.copy(), y - y.mean())
    np.testing.assert_allclose(fit_opls(x, y, orthogonal).correct(x), other.transform(centred.copy()), atol=1e-8)


def test_what_opls_takes_off_is_orthogonal_to_the_response() -> None:
    x, y = spectra(40, 60, 4)
    fitted = fit_opls(x, y, 3)
    scores = (x - fitted.mean) @ fitted.weights[:, 0]
    assert abs(scores @ (y - y.mean())) < 1e-8 * np.linalg.norm(scores) * np.linalg.norm(y)
    assert fitted.weights.shape == fitted.loadings.shape == (60, 3)


def test_weights_count_as_repeated_rows() -> None:
    x, y = spectra(20, 30, 5)
    times = np.random.default_rng(6).integers(1, 4, 20)
    weighted, repeated = fit_pls(x, y, 3, times.astype(float)), fit_pls(x.repeat(times, 0), y.repeat(times), 3)
    np.testing.assert_allclose(weighted.predict(x), repeated.predict(x), atol=1e-8)


def test_components_end_with_the_rank() -> None:
    x, y = spectra(5, 30, 7)
    fitted = fit_pls(x, y, 20)
    assert fitted.components <= 4
    np.testing.assert_allclose(fitted.predict(x), y, atol=1e-6)
    assert np.isfinite(fit_opls(x, y, 20).predict(x)).all()
    flat = fit_pls(np.ones((4, 3)), np.array([0.0, 1, 0, 1]), 2)
    assert flat.components == 0
    np.testing.assert_allclose(flat.predict(np.ones((2, 3))), 0.5)
    np.testing.assert_allclose(fit_opls(np.ones((4, 3)), np.array([0.0, 1, 0, 1]), 2).predict(np.ones((2, 3))), 0.5)
