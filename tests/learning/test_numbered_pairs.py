"""Known pairs by their numbers, against lists of all of them; what an epoch holds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from spectrosim_search.learning.numbered_pairs import KnownPairs, NumberedPairs, plan

GROUPS = np.array([2, 0, 1, 2, -1, 0, 2, 5, -1, 1])


def listed(pairs: NumberedPairs) -> set[frozenset[int]]:
    numbers = np.arange(pairs.count)
    left, right = pairs.at(numbers)
    found = {frozenset(p) for p in zip(left.tolist(), right.tolist(), strict=True)}
    assert len(found) == numbers.size  # none twice
    return found


def test_numbers_of_groups_are_all_pairs_of_spectra_whose_group_is_known() -> None:
    known = KnownPairs.of_groups(GROUPS)
    everyone = [(a, b) for a, b in combinations(range(10), 2) if GROUPS[a] >= 0 and GROUPS[b] >= 0]
    assert listed(known.positive) == {frozenset(p) for p in everyone if GROUPS[p[0]] == GROUPS[p[1]]}
    assert listed(known.negative) == {frozenset(p) for p in everyone if GROUPS[p[0]] != GROUPS[p[1]]}


def test_numbers_of_a_relation_are_what_it_says_and_nothing_follows_from_it() -> None:
    relation = np.full((5, 5), -1, np.int8)
    for a, b, value in [(0, 1, 1), (1, 2, 1), (3, 4, 0), (0, 4, 0)]:
        relation[a, b] = relation[b, a] = value
    known = KnownPairs.of_relation(relation)
    assert listed(known.positive) == {frozenset(p) for p in [(0, 1), (1, 2)]}  # not (0, 2), which a chain would join
    assert listed(known.negative) == {frozenset(p) for p in [(3, 4), (0, 4)]}


def test_no_pairs_where_there_are_none() -> None:
    for groups in (np.empty(0, np.int64), np.array([-1, -1]), np.array([3])):
        known = KnownPairs.of_groups(groups)
        assert (known.positive.count, known.negative.count) == (0, 0)
    assert KnownPairs.of_groups(np.array([0, 0])).negative.count == 0
    assert KnownPairs.of_groups(np.array([0, 1])).positive.count == 0


def groups_of(sizes: list[int]) -> np.ndarray:
    return np.repeat(np.arange(len(sizes)), sizes)


def test_an_epoch_of_all_pairs_holds_each_once_and_spreads_both_kinds() -> None:
    groups = groups_of([3] * 10)
    batches = plan(KnownPairs.of_groups(groups), 1, 0, batch_size=32, most_batches=64, negatives=np.inf)
    left, right = (np.concatenate([getattr(b, side) for b in batches]) for side in ("left", "right"))
    assert len({frozenset(p) for p in zip(left.tolist(), right.tolist(), strict=True)}) == left.size == 435
    assert 0.35 < (left < right).mean() < 0.65  # orientation is drawn
    assert {b.left.size for b in batches} <= {31, 32}
    assert {int(b.positive.sum()) for b in batches} <= {1, 2, 3, 4}  # 30 in 14 batches
    for b in batches:
        np.testing.assert_array_equal(b.positive, groups[b.left] == groups[b.right])
    weights = np.concatenate([b.weight for b in batches])
    positive = np.concatenate([b.positive for b in batches])
    assert weights[positive].sum() == pytest.approx(weights[~positive].sum())


def test_an_epoch_is_a_function_of_seed_and_number() -> None:
    pairs = KnownPairs.of_groups(groups_of([3] * 10))

    def drawn(seed: int, epoch: int) -> list[list[int]]:
        batches = plan(pairs, seed, epoch, batch_size=16, most_batches=64, negatives=2)
        return [np.concatenate([b.left for b in batches]).tolist(), np.concatenate([b.right for b in batches]).tolist()]

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1)
    assert drawn(1, 0) != drawn(2, 0)


def test_large_sets_are_drawn_evenly_and_never_listed() -> None:
    """20,000 spectra in two groups have 10⁸ pairs of either kind; an epoch holds 64 × 32 of them, half and half."""
    pairs = KnownPairs.of_groups(groups_of([10_000, 10_000]))
    assert pairs.positive.count == 2 * 10_000 * 9_999 // 2
    assert pairs.negative.count == 10_000**2
    batches = [b for e in range(4) for b in plan(pairs, 0, e, batch_size=32, most_batches=64, negatives=4)]
    assert len(batches) == 4 * 64
    positive = np.concatenate([b.positive for b in batches])
    assert positive.mean() == 0.5
    left = np.concatenate([b.left for b in batches])
    decile = np.bincount(left // 2_000, minlength=10) / left.size
    assert np.abs(decile - 0.1).max() < 0.02
