"""Committees: mean similarities over the same pairs, and what choosing their members does to their score."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.committee import average, committee_bbc
from spectrosim_search.evaluation.methods import values_under
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import choose_threshold

GROUPS = np.repeat(np.arange(12), 3)


def _part(groups: np.ndarray, rng: np.random.Generator, strength: float) -> PairScores:
    rows = np.flatnonzero(np.isin(GROUPS, groups))
    i, j = np.triu_indices(len(rows), 1)
    left, right = rows[i], rows[j]
    positive = GROUPS[left] == GROUPS[right]
    similarity = (strength * positive + rng.normal(size=len(left))).astype(np.float32)
    return PairScores(left, right, positive, np.zeros(len(left), dtype=np.int64), similarity, 0.0)


def _trial(seed: int, strength: float) -> list[tuple[PairScores, ...]]:
    """Two folds of two halves each."""
    rng = np.random.default_rng(seed)
    halves = [(np.arange(0, 3), np.arange(3, 6)), (np.arange(6, 9), np.arange(9, 12))]
    return [tuple(_part(half, rng, strength) for half in fold) for fold in halves]


def test_the_mean_over_the_same_pairs_with_thresholds_crossed() -> None:
    members = [_trial(seed, 1.0)[0] for seed in range(3)]
    first, second = average(members)
    expected = np.mean([m[0].similarity.astype(np.float64) for m in members], axis=0)
    np.testing.assert_allclose(first.similarity, expected, atol=1e-6)
    # what judges one half was chosen on the other: changing a half leaves its own threshold alone
    assert first.threshold == choose_threshold(second.similarity, second.positive)
    assert second.threshold == choose_threshold(first.similarity, first.positive)
    lifted = [(replace(m[0], similarity=m[0].similarity + 5), m[1]) for m in members]
    assert average(lifted)[0].threshold == first.threshold
    assert average(lifted)[1].threshold != second.threshold


def test_held_out_pairs_have_no_threshold_of_their_own() -> None:
    (part,) = average([_trial(seed, 1.0)[0][:1] for seed in range(3)])
    assert np.isnan(part.threshold)


def test_other_pairs_are_refused() -> None:
    one, other = _trial(0, 1.0)
    with pytest.raises(ValueError, match="not scored on the same pairs"):
        average([one, other])
    with pytest.raises(ValueError, match="not scored on the same pairs"):
        average([one, one[:1]])


def test_a_committee_of_everyone_was_not_chosen() -> None:
    trials = {str(i): _trial(i, 0.5) for i in range(4)}
    found = committee_bbc(trials, 10, GROUPS, "auc", repeats=60)
    assert found.optimism == pytest.approx(0.0, abs=1e-12)
    assert set(found.members) == set(trials)
    assert found.estimate == pytest.approx(found.full, abs=1e-12)


def test_too_few_trials_are_no_committee() -> None:
    found = committee_bbc({"0": _trial(0, 0.5), "1": _trial(1, 0.5)}, 10, GROUPS, "auc", repeats=20)
    assert found.members == ()
    assert np.isnan(found.optimism)


def _plainly(trials: dict[str, list[tuple[PairScores, ...]]], size: int, repeats: int, metric: str) -> float:
    """The optimism by the formula as it stands: every set scored in every resample."""
    names, blocks = list(trials), Blocks.of(trials.values(), GROUPS)
    rng = np.random.default_rng([0, 607])
    drawn = rng.multinomial(blocks.count, np.full(blocks.count, 1 / blocks.count), size=repeats).astype(float)
    absent = (drawn == 0).astype(float)
    inside = values_under([trials[n] for n in names], blocks, drawn, metric)
    full = values_under([trials[n] for n in names], blocks, np.ones((1, blocks.count)), metric)[:, 0]

    def mean(chosen: np.ndarray) -> list[tuple[PairScores, ...]]:
        return [average([trials[names[i]][c] for i in sorted(chosen)]) for c in range(2)]

    def best(scores: np.ndarray) -> np.ndarray:
        return np.argsort(-scores, kind="stable")[:size]

    terms = []
    for r in range(repeats):
        if np.isnan(inside[:, r]).any():
            continue
        method = mean(best(inside[:, r]))
        out = values_under([method], blocks, absent, metric)[0]
        if not np.isnan(out[r]):
            whole = values_under([method], blocks, np.ones((1, blocks.count)), metric)[0, 0]
            terms.append(whole + out[r] - np.nanmean(out))
    return float(values_under([mean(best(full))], blocks, np.ones((1, blocks.count)), metric)[0, 0] - np.mean(terms))


def test_few_resamples_of_the_lead_give_what_all_of_them_give() -> None:
    trials = {str(i): _trial(i, 0.4) for i in range(12)}
    found = committee_bbc(trials, 4, GROUPS, "auc", repeats=120)
    assert found.optimism == pytest.approx(max(0.0, _plainly(trials, 4, 120, "auc")), abs=0.01)
    assert found.optimism > 0.01, "the best of equal trials owe their place to luck"


def test_choosing_four_of_twenty_without_a_signal_is_seen_through() -> None:
    estimates, fulls = [], []
    for world in range(12):
        trials = {str(i): _trial(1000 * world + i, 0.0) for i in range(20)}
        found = committee_bbc(trials, 4, GROUPS, "auc", repeats=100, seed=world)
        estimates.append(found.estimate)
        fulls.append(found.full)
    assert np.mean(fulls) > 0.62, "the score as it was selected flatters"
    assert abs(np.mean(estimates) - 0.5) < 0.5 * abs(np.mean(fulls) - 0.5)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "matched_auc"])
def test_other_metrics(metric: str) -> None:
    trials = {str(i): _trial(i, 1.0) for i in range(8)}
    found = committee_bbc(trials, 4, GROUPS, metric, repeats=50)
    assert found.repeats > 30
    assert 0 <= found.optimism < 0.2
    again = committee_bbc(trials, 4, GROUPS, metric, repeats=50)
    assert again == found
