"""Accuracy and macro F1: against slow twins, over units, and what choosing adds."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import f1_score

from spectrosim_search.evaluation.class_statistics import (
    class_difference,
    class_jackknife,
    class_metrics,
    class_optimism,
    class_score,
)
from spectrosim_search.evaluation.scores import ClassScores

CLASSES, UNITS, N = 4, 10, 80
FIELDS = ("rows", "truth", "predicted", "confidence")


def _scores(rows: NDArray[np.int64], truth: NDArray[np.int64], rate: float, seed: int) -> ClassScores:
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(rows)) > rate
    predicted = np.where(wrong, rng.integers(0, CLASSES, len(rows)), truth[rows])
    return ClassScores(rows, truth[rows], predicted, rng.random(len(rows)).astype(np.float32))


def _world(seed: int = 0) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, CLASSES, N), rng.integers(0, UNITS, N)


def _method(rate: float, truth: NDArray[np.int64], seeds: int = 2) -> list[tuple[ClassScores, ...]]:
    halves = np.arange(0, N, 2), np.arange(1, N, 2)
    return [tuple(_scores(rows, truth, rate, 10 * s + i) for i, rows in enumerate(halves)) for s in range(seeds)]


def test_scores_of_parts_put_together_are_those_of_scikit_learn() -> None:
    truth, _ = _world()
    parts = _method(0.6, truth)[0]
    y, p = (np.concatenate([getattr(x, name) for x in parts]) for name in ("truth", "predicted"))
    found = class_metrics(parts)
    assert found["accuracy"] == pytest.approx((y == p).mean())
    assert found["macro_f1"] == pytest.approx(f1_score(y, p, average="macro"))


def test_a_class_that_no_spectrum_has_is_wrong_where_it_is_named_and_nothing_more() -> None:
    truth, predicted = np.array([0, 0, 1, 1, 1]), np.array([0, 2, 1, 1, 2])
    found = class_metrics([ClassScores(np.arange(5), truth, predicted, np.ones(5, np.float32))])
    assert found["accuracy"] == pytest.approx(0.6)
    assert found["macro_f1"] == pytest.approx(f1_score(truth, predicted, average="macro", labels=[0, 1]))


def test_a_rejected_spectrum_is_wrong_and_of_no_class() -> None:
    rows = np.arange(4)
    part = ClassScores(rows, np.array([0, 0, 1, 1]), np.array([0, -1, 1, 1]), np.ones(4, np.float32))
    found = class_metrics([part])
    assert found["accuracy"] == 0.75
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_thousands_of_units_take_no_table_of_units_by_units(metric: str) -> None:
    """Spectra without groups are units of their own: one such table of 20,000 of them would fill 3.2 GB."""
    n, classes = 3000, 5
    rng = np.random.default_rng(0)
    truth, rows = rng.integers(0, classes, n), np.arange(n)
    named = np.where(rng.random(n) < 0.7, truth, 0)
    method = [[ClassScores(rows, truth, named, np.ones(n, np.float32))]]
    class_jackknife(method, rows, metric)  # what is imported on the way is not counted
    tracemalloc.start()
    try:
        interval = class_jackknife(method, rows, metric)
        difference = class_difference(method, method, rows, metric)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert interval.low < interval.value < interval.high
    assert difference.groups == n
    assert peak < n * n


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
def test_the_standard_error_leaves_out_one_unit_at_a_time(metric: str) -> None:
    truth, units = _world()
    method = _method(0.6, truth)
    found = class_jackknife(method, units, metric)
    without = []
    for unit in range(UNITS):
        kept = [
            [
                ClassScores(
                    *(getattr(p, n)[units[p.rows] != unit] for n in ("rows", "truth", "predicted", "confidence"))
                )
                for p in seed
            ]
            for seed in method
        ]
        without.append(class_score(kept, metric))
    spread = np.sqrt((UNITS - 1) / UNITS * ((np.array(without) - np.mean(without)) ** 2).sum())
    assert found.value == pytest.approx(class_score(method, metric))
    assert found.standard_error == pytest.approx(spread)
    assert 0 < found.low < found.value < found.high < 1


def test_a_faultless_method_has_an_exact_bound() -> None:
    truth, units = _world()
    found = class_jackknife(_method(1.1, truth), units, "accuracy")
    assert (found.value, found.high) == (1.0, 1.0)
    assert found.low == pytest.approx(0.025 ** (1 / UNITS))


def test_a_difference_is_paired_by_unit() -> None:
    truth, units = _world()
    good, poor = _method(0.9, truth), _method(0.3, truth)
    d = class_difference(good, poor, units, "accuracy")
    assert d.estimate.value == pytest.approx(class_score(good, "accuracy") - class_score(poor, "accuracy"))
    assert d.estimate.low > 0 and d.p < 0.025 and d.degrees == UNITS - 1
    same = class_difference(good, good, units, "accuracy")
    assert same.estimate.value == 0.0


def test_choosing_among_equals_is_corrected_and_a_clear_winner_hardly() -> None:
    truth, units = _world()
    parts = np.arange(N)
    equal = {str(i): [(_scores(parts, truth, 0.5, 100 + i),)] for i in range(12)}
    values = [class_score(m, "accuracy") for m in equal.values()]
    optimism = class_optimism(equal, units, "accuracy")
    assert 0.4 * (max(values) - np.mean(values)) < optimism <= max(values) - np.mean(values) + 1e-12
    clear = {"a": [(_scores(parts, truth, 0.95, 1),)], "b": [(_scores(parts, truth, 0.3, 2),)]}
    assert class_optimism(clear, units, "accuracy") < 0.03
    assert class_optimism({"a": clear["a"]}, units, "accuracy") == 0.0


def test_spectra_of_no_unit_are_an_error() -> None:
    truth, units = _world()
    units = units.copy()
    units[3] = -1
    with pytest.raises(ValueError, match="no unit"):
        class_jackknife(_method(0.5, truth), units, "accuracy")


def test_nothing_judged_is_undefined_with_its_reason() -> None:
    found = class_jackknife([], np.zeros(3, np.int64), "accuracy")
    assert np.isnan(found.value) and "no spectrum" in found.note
