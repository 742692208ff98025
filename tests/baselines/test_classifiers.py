"""Classifiers of spectra into labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.cross_decomposition import PLSRegression

from spectrosim_search.baselines._classifiers import Classifier, fit_bpnn, fit_elm, fit_plsda
from spectrosim_search.config.errors import DataError
from spectrosim_search.protocol.folds import grouped_folds
from spectrosim_search.spectra.readers import read

FITS = {
    "plsda": lambda x, y, seed=0: fit_plsda(x, y),
    "elm": lambda x, y, seed=0: fit_elm(x, y, seed=seed),
    "bpnn": lambda x, y, seed=0: fit_bpnn(x, y, seed=seed),
}


def bands(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes that differ by where a small band lies, on a strong sloping background."""
    rng = np.random.default_rng(seed)
    axis = np.arange(120)
    y = rng.integers(0, 3, n)
    centre = np.array([40, 46, 52])[y] + rng.normal(size=n)
    band = np.exp(-0.5 * ((axis - centre[:, None]) / 5) ** 2)
    x = band + 3 * rng.normal(size=(n, 1)) + 0.02 * rng.normal(size=(n, 1)) * axis + 0.05 * rng.normal(size=(n, 120))
    return x, np.array(["a", "b", "c"])[y]


@pytest.mark.parametrize("name", FITS)
def test_each_finds_the_bands(name: str) -> None:
    x, y = bands(150, 0)
    new, truth = bands(90, 1)
    model: Classifier = FITS[name](x, y)
    p = model.predict_proba(new)
    assert p.shape == (90, 3)
    assert (p >= 0).all()
    np.testing.assert_allclose(p.sum(axis=1), 1)
    assert (model.predict(new) == model.classes[p.argmax(axis=1)]).all()
    assert (model.predict(new) == truth).mean() > 0.75
    shuffled = FITS[name](x, np.random.default_rng(2).permutation(y))
    assert (shuffled.predict(new) == truth).mean() < 0.6
    again = FITS[name](x, y)
    np.testing.assert_array_equal(again.predict_proba(new), p)


@pytest.mark.parametrize("name", ["elm", "bpnn"])
def test_the_seed_draws(name: str) -> None:
    x, y = bands(60, 0)
    assert (FITS[name](x, y).predict_proba(x) != FITS[name](x, y, 1).predict_proba(x)).any()


@pytest.mark.parametrize("name", FITS)
def test_one_class_is_refused(name: str) -> None:
    with pytest.raises(DataError, match="at least two classes"):
        FITS[name](np.ones((4, 5)), np.zeros(4))


def test_plsda_is_one_regression_a_class() -> None:
    x, y = bands(80, 3)
    new, _ = bands(30, 4)
    columns = [PLSRegression(10, scale=False).fit(x, y == c).predict(new).ravel() for c in "abc"]
    assert (fit_plsda(x, y).predict(new) == np.array(["a", "b", "c"])[np.argmax(columns, axis=0)]).all()


@pytest.mark.parametrize("name", FITS)
def test_tablets_of_unseen_batches(name: str, real_data: Path) -> None:
    """Four types of tablets, whole production batches held out."""
    s = read(real_data / "nir-tablets" / "spectra.csv.gz")
    fold = grouped_folds(s.groups, s.labels, s.split, 3, 0)
    train, test = fold > 0, fold == 0
    model = FITS[name](s.intensities[train], s.labels[train])
    assert (model.predict(s.intensities[test]) == s.labels[test]).mean() > 0.8
