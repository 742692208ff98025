from __future__ import annotations

import numpy as np
import pytest

from spectrosim_search.evaluation.class_committee import (
    class_committee_optimism,
    vote,
    vote_components,
    voted_mixtures,
    votes,
)
from spectrosim_search.evaluation.class_statistics import class_score
from spectrosim_search.evaluation.scores import ClassScores, MixtureScores


def named(predicted: list[int], confidence: list[float], truth: list[int] | None = None) -> ClassScores:
    rows = np.arange(len(predicted))
    return ClassScores(rows, np.array(truth or [0] * len(rows)), np.array(predicted), np.array(confidence))


def test_most_votes_win_and_unsure_ones_weigh_half() -> None:
    members = [named([0, 0], [0.9, 0.9]), named([1, 1], [0.2, 0.1]), named([1, 2], [0.3, 0.1])]
    found = vote(members)
    assert found.predicted.tolist() == [1, 0]
    np.testing.assert_allclose(found.confidence, [(0.6 + 0.65) / 3, 0.95 / 3], atol=1e-6)


def test_sure_members_that_agree_score_one_and_rejected_spectra_have_no_class() -> None:
    found = vote([named([2, -1], [1.0, 0.9]), named([2, -1], [3.0, 0.1])])
    assert found.predicted.tolist() == [2, -1]
    np.testing.assert_allclose(found.confidence, [1.0, 0.0])


def test_a_distance_below_zero_is_a_vote_of_half_its_weight() -> None:
    np.testing.assert_allclose(votes(np.array([[1]]), np.array([[-5.0]]), 3), [[0, 0.5, 0]])


def test_members_must_have_named_the_same() -> None:
    other = ClassScores(np.array([7, 8]), np.zeros(2, np.int64), np.zeros(2, np.int64), np.ones(2))
    with pytest.raises(ValueError, match="same spectra"):
        vote([named([0, 0], [1, 1]), other])
    mixtures = [MixtureScores(np.array([[0, code]]), np.array([[0, 1]])) for code in (1, 2)]
    with pytest.raises(ValueError, match="same mixtures"):
        voted_mixtures(mixtures)


def test_components_are_those_that_most_members_count_in_and_level_ones_of_earlier_members() -> None:
    found = [np.array([[0, 1], [4, 5]]), np.array([[1, 2], [3, 5]]), np.array([[1, 3], [2, 5]])]
    assert vote_components(found, 6).tolist() == [[0, 1], [4, 5]]


def _methods(right: np.ndarray, seed: int) -> dict[str, list[tuple[ClassScores, ...]]]:
    """Methods ``(T, n)`` that name class 0 of 4 rightly where `right`, else one of the others, in two parts."""
    rng = np.random.default_rng(seed)
    out = {}
    for t, own in enumerate(right):
        wrong = rng.integers(1, 4, own.size)
        predicted, confidence = np.where(own, 0, wrong), rng.random(own.size)
        rows = np.arange(own.size)
        parts = tuple(
            ClassScores(rows[p], np.zeros(len(rows[p]), np.int64), predicted[p], confidence[p])
            for p in (slice(0, own.size // 2), slice(own.size // 2, None))
        )
        out[str(t)] = [parts]
    return out


def test_the_correction_is_the_bootstrap_spelled_out() -> None:
    """Selection on drawn units, scored on the others, less that committee's mean out-of-bag score, with loops."""
    rng = np.random.default_rng(3)
    units = np.repeat(np.arange(8), 5)
    methods = _methods(rng.random((6, 40)) < 0.5, 3)
    size, repeats = 3, 40
    got = class_committee_optimism(methods, size, units, "accuracy", repeats=repeats, seed=5)
    drawn = np.random.default_rng([5, 613]).multinomial(8, np.full(8, 1 / 8), size=repeats)
    joined = {
        name: [np.concatenate([getattr(p, field) for p in seed]) for field in ("predicted", "confidence")]
        for name, (seed,) in methods.items()
    }

    def hit(names: tuple[str, ...]) -> np.ndarray:
        score = np.zeros((40, 4))
        for name in names:
            for i, (code, sure) in enumerate(zip(*joined[name])):
                score[i, code] += (1 + sure) / 2
        return score.argmax(axis=1) == 0

    def mean(values: np.ndarray, weight: np.ndarray) -> float:
        return float((values * weight[units]).sum() / weight[units].sum())

    def best(weight: np.ndarray) -> tuple[str, ...]:
        scores = [mean(joined[n][0] == 0, weight) for n in methods]
        order = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:size]
        return tuple(list(methods)[i] for i in sorted(order))

    ones = np.ones(8)
    terms = []
    for r in range(repeats):
        chosen = best(drawn[r])
        out = [mean(hit(chosen), (d == 0).astype(float)) for d in drawn]
        terms.append(mean(hit(chosen), ones) + out[r] - np.mean(out))
    expected = max(0.0, mean(hit(best(ones)), ones) - np.mean(terms))
    assert got == pytest.approx(expected, abs=1e-6)
    assert got > 0


def test_of_methods_that_all_guess_the_correction_takes_most_of_the_luck_off() -> None:
    """40 methods right by chance .5: votes of the 5 best look better than votes of any 5; the mean over 20 worlds."""
    left, taken = [], []
    for world in range(20):
        rng = np.random.default_rng(world)
        chance = rng.random(30)  # spectra that are easy for everyone and hard ones
        methods = _methods(rng.random((40, 30)) < chance, world)
        units = np.repeat(np.arange(15), 2)
        order = sorted(methods, key=lambda n: -class_score(methods[n], "accuracy"))
        voted = [[tuple(vote(p) for p in zip(*(methods[n][0] for n in names)))] for names in (order[:5], order[5:40])]
        few = [
            class_score([tuple(vote(p) for p in zip(*(methods[n][0] for n in rng.permutation(order)[:5])))], "accuracy")
            for _ in range(20)
        ]
        luck = class_score(voted[0], "accuracy") - float(np.mean(few))
        optimism = class_committee_optimism(methods, 5, units, "accuracy", repeats=100)
        left.append(luck - optimism)
        taken.append(luck)
    assert np.mean(taken) > 0.02
    assert abs(np.mean(left)) < 0.5 * np.mean(taken)


def test_there_is_nothing_to_take_off_where_nothing_was_chosen() -> None:
    methods = _methods(np.random.default_rng(0).random((3, 12)) < 0.5, 0)
    units = np.repeat(np.arange(6), 2)
    two = dict(list(methods.items())[:2])
    assert class_committee_optimism(two, 3, units, "accuracy") == 0.0
    assert class_committee_optimism(methods, 3, units, "accuracy") == pytest.approx(0.0, abs=1e-9)
