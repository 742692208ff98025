"""Probability of a lead that matters and its size, against other routes to the same numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from spectrosim_search.evaluation.posterior import effect_size, posterior
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.evaluation.statistics import Difference


def difference(value: float, error: float, groups: int) -> Difference:
    p = float(stats.t.sf(value / error, groups - 1)) if error > 0 else math.nan
    return Difference(Estimate(value, math.nan, math.nan, error), p, groups - 1, groups)


def test_the_posterior_is_student_t_around_the_difference() -> None:
    found = posterior(difference(0.03, 0.02, 12))
    assert found is not None and found.margin == 0.01
    draws = 0.03 + 0.02 * np.random.default_rng(0).standard_t(11, size=400_000)
    assert found.better == pytest.approx((draws > 0.01).mean(), abs=0.004)
    assert found.worse == pytest.approx((draws < -0.01).mean(), abs=0.004)
    assert found.better + found.alike + found.worse == pytest.approx(1)


def test_without_a_margin_it_agrees_with_the_test_and_a_correction_lowers_it() -> None:
    lead = difference(0.03, 0.02, 12)
    flat = posterior(lead, margin=0.0)
    assert flat is not None and flat.worse == pytest.approx(lead.p) and flat.alike == pytest.approx(0, abs=1e-12)
    corrected = posterior(lead.shifted(-0.02), margin=0.0)
    assert corrected is not None and corrected.better < flat.better


def test_the_interval_of_the_effect_holds_the_truth() -> None:
    """Groups' differences are Gaussian with a mean of .4 standard deviations."""
    rng = np.random.default_rng(1)
    hits, centre = 0, []
    for _ in range(400):
        x = 0.4 + rng.normal(size=12)
        found = effect_size(difference(float(x.mean()), float(x.std(ddof=1) / math.sqrt(12)), 12))
        assert found is not None and found.low < found.value < found.high
        hits += found.low <= 0.4 <= found.high
        centre.append(found.value)
    assert 0.95 - 3 * math.sqrt(0.95 * 0.05 / 400) <= hits / 400
    assert np.mean(centre) == pytest.approx(0.43, abs=0.06)  # d is biased upwards by 8 % at 11 degrees of freedom
    there, back = effect_size(difference(0.3, 0.1, 9)), effect_size(difference(-0.3, 0.1, 9))
    assert there is not None and back is not None
    assert there.value == pytest.approx(1.0)
    assert (back.value, back.low, back.high) == pytest.approx((-there.value, -there.high, -there.low))


def test_a_small_effect_has_an_interval_that_spans_nothing() -> None:
    found = effect_size(difference(0.001, 0.02, 12))
    assert found is not None and found.low < 0 < found.high


@pytest.mark.parametrize("given", [difference(math.nan, 0.1, 12), difference(0.1, math.nan, 12)])
def test_nothing_is_believed_without_a_spread(given: Difference) -> None:
    assert posterior(given) is None and effect_size(given) is None
    assert posterior(difference(0.1, 0.0, 12)) is None
    with pytest.raises(ValueError, match="negative"):
        posterior(given, margin=-0.1)
