from __future__ import annotations

import json
import math

import numpy as np
import pytest

from spectrosim_search.config.errors import DataError
from spectrosim_search.deploy import decision as module
from spectrosim_search.deploy.decision import Decision, OutOfFold, decide


def _parts(
    shift: float, folds: int = 3, groups: int = 8, size: int = 3, seed: int = 0
) -> tuple[list[OutOfFold], np.ndarray]:
    """Folds of `groups` groups; similarity is normal, `shift` higher for the same group, with an effect of each
    group."""
    rng = np.random.default_rng(seed)
    units = np.repeat(np.arange(folds * groups), size)
    effect = rng.normal(scale=0.05, size=folds * groups)
    parts = []
    for fold in range(folds):
        rows = np.flatnonzero(units // groups == fold)
        i, j = np.triu_indices(len(rows), 1)
        left, right = rows[i], rows[j]
        positive = units[left] == units[right]
        similarity = (
            0.3 + shift * positive + rng.normal(scale=0.1, size=len(left)) + effect[units[left]] + effect[units[right]]
        )
        parts.append(
            OutOfFold(fold, 0, left, right, positive, np.zeros(len(left), np.int64), similarity.astype(np.float32))
        )
    return parts, units


def test_threshold_rates_and_calibration_of_a_known_law() -> None:
    parts, units = _parts(0.4, groups=20)
    found = decide(parts, units)
    assert found.threshold == pytest.approx(0.5, abs=0.06)  # midway between the two normals
    sd = math.hypot(0.1, 0.05 * math.sqrt(2))
    expected = 0.5 * math.erfc(0.2 / sd / math.sqrt(2))
    assert found.false_same.value == pytest.approx(expected, abs=0.04)
    assert found.false_different.value == pytest.approx(expected, abs=0.06)
    assert found.balanced_accuracy.value == pytest.approx(
        1 - (found.false_same.value + found.false_different.value) / 2
    )
    for estimate in (found.false_same, found.false_different, found.balanced_accuracy, found.auc, found.matched_auc):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    # the log likelihood ratio of two normals of one variance is 0 midway and rises by shift / variance
    assert found.calibration.log_likelihood_ratio(np.array([0.5]))[0] == pytest.approx(0, abs=0.8)
    assert found.calibration.slope == pytest.approx(0.4 / sd**2, rel=0.3)
    assert (found.groups, found.same_pairs, found.folds, found.seeds) == (60, 180, 3, 1)
    assert 0 < found.min_cllr <= found.cllr < 0.5


def test_evidence_stays_within_what_was_observed() -> None:
    parts, units = _parts(0.4)
    c = decide(parts, units).calibration
    assert c.lowest == pytest.approx(-math.log(24 + 1))  # 24 groups give same-group pairs
    assert c.highest == pytest.approx(math.log(3 * 8 * 7 / 2 + 1))  # pairs of groups inside a fold
    np.testing.assert_allclose(c.log_likelihood_ratio(np.array([-100.0, 100.0])), [c.lowest, c.highest])


def test_no_error_seen_is_not_no_error_possible() -> None:
    parts, units = _parts(5.0)
    found = decide(parts, units)
    assert found.false_same.value == found.false_different.value == 0
    assert found.false_same.high == pytest.approx(1 - 0.025 ** (1 / 24))
    assert math.isfinite(found.calibration.slope)


def test_similarities_that_say_nothing() -> None:
    parts, units = _parts(0.0, groups=12)
    found = decide(parts, units)
    assert found.auc.low < 0.5 < found.auc.high
    assert found.balanced_accuracy.value == pytest.approx(0.5, abs=0.12)
    assert abs(found.calibration.log_likelihood_ratio(np.array([0.4]))[0]) < 1.5


def test_the_interval_is_the_spread_over_groups_not_over_pairs() -> None:
    """Doubling every pair (another seed that says the same) must not narrow an interval."""
    parts, units = _parts(0.2)
    twice = parts + [OutOfFold(p.fold, 1, p.left, p.right, p.positive, p.stratum, p.similarity) for p in parts]
    once, doubled = decide(parts, units), decide(twice, units)
    assert doubled.same_pairs == once.same_pairs
    assert doubled.auc.high - doubled.auc.low == pytest.approx(once.auc.high - once.auc.low)


def test_error_rates_are_judged_by_thresholds_of_other_folds() -> None:
    """A fold shifted as a whole is misjudged by the others' threshold, and the rates must show it."""
    parts, units = _parts(1.0)
    p = parts[0]
    parts[0] = OutOfFold(0, 0, p.left, p.right, p.positive, p.stratum, p.similarity + np.float32(1.0))
    found = decide(parts, units)
    assert found.false_same.value > 0.3  # all different pairs of fold 0 are called the same
    assert found.auc.value > 0.99  # inside each fold the ranking is perfect


def test_one_fold_is_not_enough() -> None:
    parts, units = _parts(0.4)
    with pytest.raises(DataError, match="fewer than two folds"):
        decide(parts[:1], units)


def test_json_round_trip_with_undefined_values() -> None:
    parts, units = _parts(0.4)
    parts = [OutOfFold(p.fold, 0, p.left, p.right, p.positive, np.full(len(p.left), -1), p.similarity) for p in parts]
    found = decide(parts, units)
    assert math.isnan(found.matched_auc.value)
    text = json.dumps(found.to_dict(), allow_nan=False)
    again = Decision.from_dict(json.loads(text))
    assert again.to_dict() == found.to_dict()
    assert math.isnan(again.matched_auc.value)
    assert again.calibration == found.calibration


def test_many_pairs_are_thinned_for_intervals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    parts, units = _parts(0.3, groups=12)
    full = decide(parts, units)
    monkeypatch.setattr(module, "_PAIRS_FOR_INTERVALS", 600)
    thin = decide(parts, units)
    assert thin.threshold == full.threshold
    assert thin.different_pairs == full.different_pairs
    assert thin.auc.value == pytest.approx(full.auc.value, abs=0.06)
    assert thin == decide(parts, units)
