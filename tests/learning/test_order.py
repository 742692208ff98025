from __future__ import annotations

import numpy as np
import pytest

from spectrosim_search.learning.order import GroupOrder, PlainOrder, components_of


def test_plain_order_wraps_round_with_new_permutations():
    order = PlainOrder(10)
    plan = order.plan(seed=3, epoch=1, slots=24)
    assert sorted(plan[:10]) == sorted(plan[10:20]) == list(range(10))
    assert plan[:10].tolist() != plan[10:20].tolist()
    assert len(set(plan[20:])) == 4
    np.testing.assert_array_equal(plan, order.plan(3, 1, 24))
    np.testing.assert_array_equal(plan[:10], order.plan(3, 1, 10))


@pytest.mark.parametrize("change", [{"seed": 4}, {"epoch": 2}])
def test_order_changes_with_seed_and_epoch(change):
    for order in (PlainOrder(30), GroupOrder(np.repeat(np.arange(10), 3), 2)):
        base = {"seed": 3, "epoch": 1, "slots": 30}
        assert order.plan(**base).tolist() != order.plan(**{**base, **change}).tolist()


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
