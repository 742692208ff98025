"""Classifiers kept as arrays: the same answers as scikit-learn's own."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.neural_network import MLPClassifier

from spectrosim_search.config.errors import DataError
from spectrosim_search.evaluation.worth import fit_classifier, scores


def problem(classes: int, n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    centre = np.random.default_rng(99).gamma(0.5, size=(classes, 40))
    y = np.arange(n) % classes
    return (centre[y] * np.exp(rng.normal(scale=0.4, size=(n, 40)))).astype(np.float32), y


def unit(x: np.ndarray) -> np.ndarray:
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("classes", [2, 5])
def test_a_forest_answers_as_scikit_learn_does(classes: int) -> None:
    (x, y), (new, truth) = problem(classes, 60, 0), problem(classes, 200, 1)
    y, truth, count = 2 * y, 2 * truth, 2 * classes + 1  # codes with gaps: classes without training spectra
    found = scores(fit_classifier("random-forest", x, y, count, 7), new)
    own = RandomForestClassifier(100, random_state=7).fit(unit(x), y)
    np.testing.assert_allclose(found[:, own.classes_], own.predict_proba(unit(new)), atol=1e-6)
    assert (found[:, 1::2] == 0).all()
    assert (found.argmax(axis=1) == truth).mean() > 0.8


@pytest.mark.parametrize("classes", [2, 5])
def test_a_network_answers_as_scikit_learn_does(classes: int) -> None:
    (x, y), (new, truth) = problem(classes, 60, 0), problem(classes, 200, 1)
    y, truth, count = 2 * y, 2 * truth, 2 * classes + 1
    found = scores(fit_classifier("network", x, y, count, 7), new)
    own = MLPClassifier((128,), max_iter=60, learning_rate_init=3e-3, random_state=7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        own.fit(10 * unit(x), y)
    np.testing.assert_allclose(found[:, own.classes_], own.predict_proba(10 * unit(new)), atol=1e-5)
    assert (found.argmax(axis=1) == truth).mean() > 0.8


@pytest.mark.parametrize("kind", ["random-forest", "network"])
def test_length_of_a_spectrum_does_not_count_and_seeds_do(kind: str) -> None:
    (x, y), (new, _) = problem(4, 40, 0), problem(4, 30, 1)
    a = fit_classifier(kind, x, y, 4, 1)
    np.testing.assert_allclose(scores(a, 1000 * new), scores(a, new), atol=1e-5)
    np.testing.assert_array_equal(scores(fit_classifier(kind, x, y, 4, 1), new), scores(a, new))
    assert (scores(fit_classifier(kind, x, y, 4, 2), new) != scores(a, new)).any()
    assert all(v.dtype == np.float32 for v in a.values())


@pytest.mark.parametrize("kind", ["random-forest", "network"])
def test_one_class_is_refused(kind: str) -> None:
    with pytest.raises(DataError, match="at least two classes"):
        fit_classifier(kind, np.ones((3, 4)), np.zeros(3, np.int64), 2, 0)
