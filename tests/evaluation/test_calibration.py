"""Log likelihood ratios and their cost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spectrosim_search.evaluation.calibration import (
    calibrate,
    cllr,
    log_likelihood_ratio,
    min_cllr,
    probability,
)


def normal_pairs(rng, n=20_000, gap=2.0, share=0.1):
    """Two normal distributions of unit variance, `gap` apart: the true log ratio is ``gap·s - gap²/2``."""
    y = rng.random(n) < share
    return rng.normal(size=n) + gap * y, y


def test_calibration_finds_the_true_ratio_whatever_the_share_of_positives():
    rng = np.random.default_rng(0)
    for share in (0.1, 0.5):
        s, y = normal_pairs(rng, share=share)
        fit = calibrate(s, y)
        assert fit.slope == pytest.approx(2.0, abs=0.12)
        assert fit.intercept == pytest.approx(-2.0, abs=0.12)


def test_calibration_is_the_minimum_of_its_loss():
    rng = np.random.default_rng(1)
    s, y = normal_pairs(rng, n=400)
    fit = calibrate(s, y)

    def loss(a, b):
        ridge = 0.5 * 1e-4 * (a * s.std()) ** 2
        return cllr(a * s + b, y) * math.log(2.0) + ridge

    best = loss(fit.slope, fit.intercept)
    for da, db in ((0.01, 0), (-0.01, 0), (0, 0.01), (0, -0.01)):
        assert loss(fit.slope + da, fit.intercept + db) > best


def test_separable_wrong_way_and_constant_similarities_stay_finite():
    y = np.array([False, False, True, True])
    fit = calibrate([0.0, 0.1, 0.9, 1.0], y)
    assert math.isfinite(fit.slope) and fit.slope > 1.0
    assert log_likelihood_ratio([0.5], fit)[0] == pytest.approx(0.0, abs=1e-6)
    wrong = calibrate([1.0, 0.9, 0.1, 0.0], y)
    assert (wrong.slope, wrong.intercept) == (0.0, 0.0)
    assert calibrate([1.0] * 4, y).slope == 0.0
    assert math.isnan(calibrate([1.0, 2.0], [True, True]).slope)
    assert math.isnan(calibrate([np.nan, 2.0], [True, False]).slope)


def test_probability_states_its_prior():
    assert probability([0.0], 0.5)[0] == 0.5
    assert probability([0.0], 0.02)[0] == pytest.approx(0.02)
    assert probability([math.log(49.0)], 0.02)[0] == pytest.approx(0.5)
    assert probability([-2000.0, 2000.0]).tolist() == [0.0, 1.0]
    with pytest.raises(ValueError, match="prior 1"):
        probability([0.0], 1.0)


def test_cllr_runs_from_perfect_to_no_information():
    y = np.array([True, False, True, False])
    assert cllr([0.0] * 4, y) == pytest.approx(1.0)
    assert cllr([50.0, -50.0, 50.0, -50.0], y) == pytest.approx(0.0, abs=1e-12)
    assert cllr([-5.0, 5.0, -5.0, 5.0], y) > 1.0
    assert math.isnan(cllr([0.0], [True]))


def test_min_cllr_is_what_ranking_alone_allows():
    rng = np.random.default_rng(2)
    s, y = normal_pairs(rng, n=3000)
    llr = log_likelihood_ratio(s, calibrate(s, y))
    lowest = min_cllr(s, y)
    assert lowest <= cllr(llr, y) < lowest + 0.05
    assert min_cllr(np.exp(s), y) == pytest.approx(lowest)  # blind to rising transformations
    assert min_cllr([0.0, 1.0], [False, True]) == 0.0
    assert min_cllr([1.0, 0.0], [False, True]) == pytest.approx(1.0)
    assert min_cllr([1.0, 1.0], [False, True]) == pytest.approx(1.0)
    # twin: pool adjacent violators by hand on three blocks
    s3, y3 = np.array([0.0, 1.0, 2.0, 3.0]), np.array([False, True, False, True])
    pooled = 0.5 * (0.0 + 0.5 * 1.0 + 0.5 * 1.0 + 0.0)
    assert min_cllr(s3, y3) == pytest.approx(pooled)
