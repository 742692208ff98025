"""Scores of pairs against slow, obvious twins."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import (
    auc,
    average_precision,
    balanced_accuracy,
    choose_threshold,
    equal_error_rate,
    matched_auc,
    mcc,
    metrics,
    primary,
    rates,
    roc,
)

PAIRS = st.lists(st.tuples(st.integers(-3, 3), st.booleans(), st.integers(0, 2)), min_size=2, max_size=25)


def naive_auc(s, y, w=None):
    w = [1] * len(s) if w is None else w
    total = norm = 0.0
    for i in range(len(s)):
        for j in range(len(s)):
            if y[i] and not y[j]:
                norm += w[i] * w[j]
                total += w[i] * w[j] * (1.0 if s[i] > s[j] else 0.5 if s[i] == s[j] else 0.0)
    return total / norm if norm else float("nan")


def same(a, b):
    return (math.isnan(a) and math.isnan(b)) or a == pytest.approx(b, abs=1e-12)


@given(PAIRS)
@settings(max_examples=150, deadline=None)
def test_auc_equals_naive_loops(pairs):
    s, y, w = (list(c) for c in zip(*pairs))
    assert same(auc(s, y), naive_auc(s, y))
    assert same(auc(s, y, w), naive_auc(s, y, w))


@given(PAIRS)
@settings(max_examples=100, deadline=None)
def test_integer_weights_are_copies(pairs):
    s, y, w = (np.array(c) for c in zip(*pairs))
    assert same(auc(s, y, w), auc(np.repeat(s, w), np.repeat(y, w)))
    assert same(average_precision(s, y, w, None), average_precision(np.repeat(s, w), np.repeat(y, w), None, None))
    assert same(equal_error_rate(s, y, w), equal_error_rate(np.repeat(s, w), np.repeat(y, w)))


def test_undefined_is_nan_never_a_half():
    assert math.isnan(auc([0.1, 0.2], [True, True]))
    assert math.isnan(auc([0.1, 0.2], [False, False]))
    assert math.isnan(auc([], []))
    assert math.isnan(auc([np.nan, 0.2, 0.3], [True, False, True]))
    assert math.isnan(choose_threshold([0.1], [True]))
    assert math.isnan(balanced_accuracy([0.1, 0.3], [False, True], float("nan")))
    assert auc([1.0, 1.0], [True, False]) == 0.5  # a tie is a defined half


def test_matched_auc_compares_inside_strata_only():
    rng = np.random.default_rng(0)
    s = rng.normal(size=400).round(1)
    y = rng.random(400) < 0.2
    k = rng.integers(-1, 6, size=400)
    y[k == 4] = False  # lacks positives
    y[k == 5] = True  # lacks negatives
    total = weight = 0.0
    for number in range(4):
        rows = k == number
        total += y[rows].sum() * naive_auc(s[rows], y[rows])
        weight += y[rows].sum()
    found = matched_auc(s, y, k)
    assert found.value == pytest.approx(total / weight, abs=1e-12)
    assert (found.strata_used, found.strata_skipped) == (4, 2)
    nothing = matched_auc(s, y, np.full(400, -1))
    assert math.isnan(nothing.value)
    assert (nothing.strata_used, nothing.strata_skipped) == (0, 0)
    w = rng.integers(0, 3, size=400)
    copies = matched_auc(np.repeat(s, w), np.repeat(y, w), np.repeat(k, w))
    assert matched_auc(s, y, k, w).value == pytest.approx(copies.value, abs=1e-12)


def test_telling_labels_apart_is_not_telling_groups_apart():
    """Similarity that knows the label alone: all-pairs AUC is high, matched-label AUC is a half."""
    labels = np.repeat([0, 1], 6)
    groups = np.repeat(np.arange(6), 2)
    i, j = np.triu_indices(12, 1)
    s = (labels[i] == labels[j]).astype(float)
    y = groups[i] == groups[j]
    assert auc(s, y) > 0.75
    assert matched_auc(s, y, labels[i] + labels[j]).value == 0.5


@given(PAIRS)
@settings(max_examples=150, deadline=None)
def test_threshold_reaches_the_best_balanced_accuracy(pairs):
    s, y, _ = (np.array(c) for c in zip(*pairs))
    s = s.astype(np.float32)
    t = choose_threshold(s, y)
    if y.all() or not y.any():
        assert math.isnan(t)
        return
    values = np.unique(s)
    cuts = np.concatenate(([values[0] - 1], (values[1:] + values[:-1]) / 2, [values[-1] + 1]))
    best = max(((s[y] >= c).mean() + (s[~y] < c).mean()) / 2 for c in cuts)
    if best > 0.5:
        assert balanced_accuracy(s, y, t) == pytest.approx(best)
    assert values[0] <= t <= values[-1]


def test_threshold_is_the_midpoint_of_the_plateau_whatever_the_range():
    assert choose_threshold([-9.0, -7.0, -3.0, -1.0], [False, False, True, True]) == -5.0
    assert choose_threshold([0.2, 0.4, 140.0, 160.0], [False, False, True, True]) == pytest.approx(70.2)
    close = np.array([1.0, np.nextafter(np.float32(1.0), np.float32(2.0))], dtype=np.float32)
    t = choose_threshold(close, [False, True])  # lies between two neighbouring float32 numbers
    assert balanced_accuracy(close, [False, True], t) == 1.0


def test_equal_error_rate_interpolates():
    assert equal_error_rate([0.0, 1.0], [False, True]) == 0.0
    assert equal_error_rate([1.0, 0.0], [False, True]) == 1.0
    assert equal_error_rate([1.0, 1.0, 1.0], [False, True, True]) == 0.5  # one step from (0, 0) to (1, 1)
    rng = np.random.default_rng(1)
    y = rng.random(4000) < 0.4
    s = rng.normal(size=4000) + 1.0 * y
    grid = np.linspace(-4, 5, 4001)
    fpr = np.array([(s[~y] >= t).mean() for t in grid])
    fnr = np.array([(s[y] < t).mean() for t in grid])
    i = np.argmin(np.abs(fpr - fnr))
    assert equal_error_rate(s, y) == pytest.approx((fpr[i] + fnr[i]) / 2, abs=2e-3)


def test_average_precision_equals_scikit_learn_and_moves_with_prevalence():
    sklearn_metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(2)
    y = rng.random(300) < 0.3
    s = (rng.normal(size=300) + y).round(1)
    assert average_precision(s, y, None, None) == pytest.approx(sklearn_metrics.average_precision_score(y, s))
    w = np.where(y, 0.02 / y.mean(), 0.98 / (1 - y.mean()))
    expected = sklearn_metrics.average_precision_score(y, s, sample_weight=w)
    assert average_precision(s, y) == pytest.approx(expected)
    called = s >= 0.5
    expected = sklearn_metrics.matthews_corrcoef(y, called, sample_weight=w)
    assert mcc(s, y, 0.5) == pytest.approx(expected)
    assert mcc(s, y, 99.0) == 0.0


def test_roc_runs_from_corner_to_corner():
    fpr, tpr, t = roc([0.1, 0.4, 0.4, 0.9], [False, True, False, True])
    assert fpr.tolist() == [0, 0, 0.5, 1] and tpr.tolist() == [0, 0.5, 1, 1]
    assert t.tolist() == [np.inf, 0.9, 0.4, 0.1]
    assert rates([0.1, 0.4, 0.4, 0.9], [False, True, False, True], 0.4) == (1.0, 0.5)


def part(s, y, k, t):
    n = np.arange(len(s))
    return PairScores(n, n, np.array(y), np.array(k), np.array(s, dtype=np.float32), t)


def test_metrics_average_parts_and_leave_undefined_ones_out():
    a = part([0.1, 0.9], [False, True], [-1, -1], 0.5)
    b = part([0.9, 0.1], [False, True], [0, 0], float("nan"))
    out = metrics([a, b])
    assert out["auc"] == 0.5
    assert out["matched_auc"] == 0.0  # defined in b alone
    assert out["balanced_accuracy"] == 1.0  # defined in a alone
    assert primary(out, "matched_auc") == 0.0
    only_a = metrics([a])
    assert math.isnan(only_a["matched_auc"])
    assert primary(only_a, "matched_auc") == 1.0
    assert all(math.isnan(v) for v in metrics([]).values())
