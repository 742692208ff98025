"""Grouped, stratified folds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectrosim_search.config.errors import InputError
from spectrosim_search.protocol.folds import connected_units, grouped_folds, majority, union_find


def table(sizes, labels):
    groups = np.repeat([f"g{i:03d}" for i in range(len(sizes))], sizes)
    return groups, np.repeat(labels, sizes), np.full(len(groups), "")


def test_no_group_is_cut_and_labels_are_even():
    groups, labels, units = table([3] * 24, ["a", "b"] * 12)
    fold = grouped_folds(groups, labels, units, 3, seed=0)
    for g in np.unique(groups):
        assert len(np.unique(fold[groups == g])) == 1
    for f in range(3):
        for label in "ab":
            assert len(np.unique(groups[(fold == f) & (labels == label)])) == 4


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from("abc")), min_size=8, max_size=40), st.integers(0, 3))
@settings(max_examples=60, deadline=None)
def test_every_label_is_spread_evenly_whatever_the_sizes(rows, seed):
    sizes, labels = zip(*rows)
    if sum(s >= 2 for s in sizes) < 3:
        return
    groups, label, units = table(list(sizes), list(labels))
    fold = grouped_folds(groups, label, units, 3, seed)
    assert fold.min() >= 0 and fold.max() <= 2
    repeated = [i for i, (s, _) in enumerate(rows) if s >= 2]
    per_fold = np.bincount([fold[groups == f"g{i:03d}"][0] for i in repeated], minlength=3)
    assert per_fold.min() >= min(4, len(repeated) // 3)
    for name in set(labels):
        for several in (True, False):
            chosen = [i for i, (s, x) in enumerate(rows) if x == name and (s >= 2) == several]
            counts = np.bincount([fold[groups == f"g{i:03d}"][0] for i in chosen], minlength=3)
            if len(chosen) >= 6 or not several:
                assert counts.max() - counts.min() <= 1


def test_rare_labels_come_two_groups_to_a_fold():
    """Five labels of four groups: 2 + 2 each, so that every group meets another of its label."""
    groups, labels, units = table([3] * 20, list("abcde") * 4)
    for seed in range(5):
        fold = grouped_folds(groups, labels, units, 3, seed)
        for name in "abcde":
            counts = [len(np.unique(groups[(labels == name) & (fold == f)])) for f in range(3)]
            assert sorted(counts) == [0, 2, 2]
        assert min(len(np.unique(groups[fold == f])) for f in range(3)) >= 4


def test_depends_on_names_and_seed_but_not_on_row_order():
    groups, labels, units = table([3, 2, 4] * 8, ["a", "b"] * 12)
    order = np.random.default_rng(5).permutation(len(groups))
    straight = grouped_folds(groups, labels, units, 3, seed=1)
    mixed = grouped_folds(groups[order], labels[order], units, 3, seed=1)
    assert (straight[order] == mixed).all()
    assert (straight != grouped_folds(groups, labels, units, 3, seed=2)).any()


def test_coarser_units_stay_whole_and_groups_join_units():
    groups = np.repeat([f"g{i:02d}" for i in range(12)], 2)
    units = np.repeat([f"u{i // 2}" for i in range(12)], 2)
    labels = np.full(24, "x")
    fold = grouped_folds(groups, labels, units, 3, seed=0)
    for u in np.unique(units):
        assert len(np.unique(fold[units == u])) == 1
    units[1] = "u5"  # the first group now touches units 0 and 5: they are one
    unit = connected_units(groups, units)
    assert len(np.unique(unit)) == 5
    assert len(np.unique(unit[(units == "u0") | (units == "u5")])) == 1


def test_union_find_equals_reachability():
    rng = np.random.default_rng(3)
    for _ in range(20):
        n = 12
        a, b = rng.integers(0, n, 8), rng.integers(0, n, 8)
        reach = np.eye(n, dtype=bool)
        reach[a, b] = reach[b, a] = True
        for k in range(n):
            reach |= reach[:, [k]] & reach[[k], :]
        roots = union_find(n, a, b)
        assert ((roots[:, None] == roots[None, :]) == reach).all()
        assert (roots == reach.argmax(axis=1)).all()  # the smallest member names the component


def test_majority_takes_the_most_frequent_label():
    codes = np.array([0, 0, 0, 1, 1])
    assert majority(codes, np.array([2, 1, 2, 1, 0])).tolist() == [2, 0]


def test_too_few_groups_is_one_clear_line():
    groups, labels, units = table([3, 1, 1, 1], ["a"] * 4)
    with pytest.raises(InputError, match="too few groups for 2 folds: 1 independent group"):
        grouped_folds(groups, labels, units, 2, seed=0)
