from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, f1_score

from spectrosim_search.evaluation.classification import accuracy, confusion, label_curve, macro_f1
from spectrosim_search.evaluation.scores import ClassScores


def scores(truth: np.ndarray, predicted: np.ndarray) -> ClassScores:
    return ClassScores(np.arange(truth.size), truth, predicted, np.ones(truth.size, dtype=np.float32))


@pytest.mark.parametrize("seed", range(5))
def test_as_scikit_learn(seed: int) -> None:
    rng = np.random.default_rng(seed)
    truth, predicted = rng.integers(0, 4, 50), rng.integers(0, 5, 50)  # class 4 is named but never occurs
    told = scores(truth, predicted)
    assert accuracy(told) == pytest.approx(accuracy_score(truth, predicted))
    assert macro_f1(told) == pytest.approx(f1_score(truth, predicted, average="macro", zero_division=0))
    np.testing.assert_array_equal(confusion(told, 6), confusion_matrix(truth, predicted, labels=range(6)))


def test_nothing_judged_is_undefined() -> None:
    empty = scores(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
    assert np.isnan([accuracy(empty), macro_f1(empty)]).all()


def test_the_curve_over_labels() -> None:
    curve = label_curve({0.5: [0.9, 0.92], 0.1: [0.6, 0.8], 0.2: [0.8, 0.8]})
    np.testing.assert_allclose(curve.fractions, [0.1, 0.2, 0.5])
    np.testing.assert_allclose(curve.mean, [0.7, 0.8, 0.91])
    np.testing.assert_allclose(curve.spread, [np.std([0.6, 0.8], ddof=1), 0.0, np.std([0.9, 0.92], ddof=1)], atol=1e-12)
    assert curve.reached(0.75) == pytest.approx(0.15)
    assert curve.reached(0.5) == 0.1
    assert np.isnan(curve.reached(0.95))
