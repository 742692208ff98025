from __future__ import annotations

import numpy as np
import pytest

from spectrosim_search.learning.order import Draws, GroupOrder, PlainOrder, components_of

PLAIN = [3, 4, 2, 5, 1, 6, 0, 2, 0, 1, 6, 3, 4, 5, 3, 0]
GROUPED = [14, 13, 0, 1, 11, 10, 6, 7, 5, 4, 3, 5, 2, 0, 8, 6, 12, 14]


def test_plain_order_wraps_round_with_new_permutations():
    order = PlainOrder(10)
    plan = order.plan(seed=3, epoch=1, slots=24)
    assert sorted(plan[:10]) == sorted(plan[10:20]) == list(range(10))
    assert plan[:10].tolist() != plan[10:20].tolist()
    assert len(set(plan[20:])) == 4
    np.testing.assert_array_equal(plan, order.plan(3, 1, 24))
    np.testing.assert_array_equal(plan[:10], order.plan(3, 1, 10))


def test_permutations_are_permutations_and_differ():
    draws = Draws([0, 1, 2], 1)
    drawn = [draws.permutation(place, 0, 50).tolist() for place in range(3)]
    assert all(sorted(row) == list(range(50)) for row in drawn)
    assert len({tuple(row) for row in drawn}) == 3


def test_every_position_of_a_permutation_is_equally_likely():
    draws = Draws(range(4000), 0)
    drawn = np.stack([draws.permutation(place, 0, 4) for place in range(4000)])
    for place in range(4):
        assert abs(np.bincount(drawn[:, place], minlength=4) - 1000).max() < 150


@pytest.mark.parametrize("change", [{"seed": 4}, {"epoch": 2}])
def test_order_changes_with_seed_and_epoch(change):
    for order in (PlainOrder(30), GroupOrder(np.repeat(np.arange(10), 3), 2)):
        base = {"seed": 3, "epoch": 1, "slots": 30}
        assert order.plan(**base).tolist() != order.plan(**{**base, **change}).tolist()


def test_replicates_of_a_stack_share_what_is_drawn_and_not_what_comes_of_it():
    """Folds differ in size and groups; passes beyond 64 have keys of another step."""
    seeds = [3, 7, 11]
    orders = (PlainOrder(5), GroupOrder(np.repeat(np.arange(4), 3), 2), GroupOrder(np.arange(15) // 2, 4))
    for epoch in (1, 2):
        draws = Draws(seeds, epoch)
        for place, (order, seed) in enumerate(zip(orders, seeds)):
            np.testing.assert_array_equal(order.plan_of(draws, place, 700), order.plan(seed, epoch, 700))


def test_the_order_is_what_it_was():
    """Batches are part of what a stored score rests on: these were drawn by the first version."""
    groups = np.repeat(np.arange(5), 3)
    assert PlainOrder(7).plan(3, 2, 16).tolist() == PLAIN
    assert GroupOrder(groups, 2).plan(5, 1, 18).tolist() == GROUPED


def test_chunks_hold_distinct_members_of_one_group():
    groups = np.repeat(np.arange(12), 3)
    plan = GroupOrder(groups, 2).plan(0, 1, 36).reshape(-1, 2)
    assert (groups[plan[:, 0]] == groups[plan[:, 1]]).all()
    assert (plan[:, 0] != plan[:, 1]).all()


def test_a_pass_reaches_every_spectrum_of_uneven_groups():
    groups = np.array([0] * 7 + [1] * 2 + [2] * 1 + [3] * 4)[np.random.default_rng(0).permutation(14)]
    order = GroupOrder(groups, 3)
    plan = order.plan(1, 1, 9 + 2 + 1 + 6)
    assert set(plan.tolist()) == set(range(14))


def test_a_large_group_is_spread_over_the_pass():
    groups = np.array([0] * 40 + [g for g in range(1, 21) for _ in range(2)])
    plan = GroupOrder(groups, 2).plan(0, 1, 80).reshape(10, 8)
    of_large = (groups[plan] == 0).sum(axis=1)
    assert of_large.min() >= 2
    assert of_large.max() <= 6


def test_more_slots_than_spectra():
    groups = np.array([0, 0, 1, 1, 2])
    plan = GroupOrder(groups, 2).plan(0, 1, 700)
    assert plan.shape == (700,)
    counts = np.bincount(plan, minlength=5)
    assert counts.min() >= 139


def test_connected_components():
    relation = np.full((7, 7), -1, dtype=np.int8)
    for a, b in ((0, 1), (1, 2), (5, 6)):
        relation[a, b] = relation[b, a] = 1
    codes = components_of(relation)
    assert [sorted(np.flatnonzero(codes == c).tolist()) for c in dict.fromkeys(codes.tolist())] == [
        [0, 1, 2],
        [3],
        [4],
        [5, 6],
    ]
    chain = np.zeros((40, 40), dtype=np.int8)
    chain[np.arange(39), np.arange(1, 40)] = 1
    assert len(set(components_of(chain[::-1, ::-1]).tolist())) == 1
