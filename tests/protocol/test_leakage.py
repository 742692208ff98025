"""The union-find audit against its closed form."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from spectrosim_search.config.study import Protocol
from spectrosim_search.protocol.design import make_design
from spectrosim_search.protocol.leakage import _gilbert, audit, expected_balanced_accuracy, implied


def design_of(sizes, seed=0, **protocol):
    groups = np.repeat([f"g{i:02d}" for i in range(len(sizes))], sizes)
    empty = np.full(len(groups), "")
    return make_design(groups, np.repeat(["a", "b"] * (len(sizes) // 2), sizes), empty, Protocol(seed=seed, **protocol))


@pytest.mark.parametrize(("size", "folds", "stated"), [(3, 3, 0.733), (5, 3, 0.958)])
def test_random_pairs_meet_the_closed_form_over_30_seeds(size, folds, stated):
    found = [audit(design_of([size] * 24, seed, name="random-pairs", folds=folds)) for seed in range(30)]
    mean = np.mean([a.balanced_accuracy for a in found])
    assert mean == pytest.approx(found[0].expected, abs=0.02)
    assert mean == pytest.approx(stated, abs=0.02)
    assert all(a.auc == a.balanced_accuracy for a in found)


@pytest.mark.parametrize(("size", "stated"), [(3, 0.68), (5, 0.93)])
def test_sixty_forty_split_meets_the_closed_form(size, stated):
    scores = []
    for seed in range(30):
        design = design_of([size] * 24, seed, name="random-pairs", scoring="hold-out", hold_out=0.4)
        held = design.hold_out
        joined = implied(held, held.pairs)
        assert not joined[~held.pairs.positive].any()
        scores.append(0.5 + 0.5 * joined[held.pairs.positive].mean())
    positives = 24 * size * (size - 1) // 2
    expected = expected_balanced_accuracy([size] * 24, positives - round(0.4 * positives))
    assert np.mean(scores) == pytest.approx(expected, abs=0.02)
    assert np.mean(scores) == pytest.approx(stated, abs=0.02)


@pytest.mark.parametrize("name", ["batch-disjoint", "shared-batch"])
def test_the_other_protocols_give_exactly_a_half(name):
    for seed in range(5):
        found = audit(design_of([3, 4] * 12, seed, name=name), seeds=3)
        assert found.balanced_accuracy == 0.5 and found.auc == 0.5
        assert found.expected == 0.5 and found.sd == 0.0 and found.cells == 9


def test_the_audit_does_find_a_leak():
    """A batch-disjoint split that is tampered with no longer scores a half: the audit is not constant."""
    from dataclasses import replace

    design = design_of([3] * 24)
    cell = design.split(0, 0)
    half = cell.halves[0]
    rows = np.unique(np.concatenate([half.left, half.right]))
    groups = cell.groups.copy()
    groups[rows] = design.groups[rows]
    leaking = replace(cell, train=np.concatenate([cell.train, rows]), groups=groups)
    assert implied(leaking, half)[half.positive].all()
    assert not implied(cell, half).any()


def test_closed_form_of_three_is_half_plus_half_p_squared():
    assert expected_balanced_accuracy([3] * 40_000, 0.6 * 120_000) == pytest.approx(0.5 + 0.36 / 2, abs=1e-4)
    assert expected_balanced_accuracy([3] * 24, 48) == pytest.approx(0.5 + (48 / 71) * (47 / 70) / 2)
    assert expected_balanced_accuracy([2] * 10, 5) == 0.5


def test_gilbert_equals_enumeration_of_all_graphs():
    p = 0.37
    for m in (3, 4, 5):
        edges = [e for e in itertools.combinations(range(m), 2) if e != (0, 1)]
        total = 0.0
        for chosen in itertools.product((0, 1), repeat=len(edges)):
            reach = np.eye(m, dtype=bool)
            for on, (a, b) in zip(chosen, edges):
                reach[a, b] |= bool(on)
                reach[b, a] |= bool(on)
            for k in range(m):
                reach |= reach[:, [k]] & reach[[k], :]
            total += reach[0, 1] * p ** sum(chosen) * (1 - p) ** (len(edges) - sum(chosen))
        assert _gilbert(m, p) == pytest.approx(total)
        assert expected_balanced_accuracy([m] * 20_000, p * 20_000 * m * (m - 1) / 2) == pytest.approx(
            0.5 + total / 2, abs=1e-4
        )


def test_larger_and_unequal_groups_meet_the_closed_form():
    sizes = [2, 3, 4, 7] * 6
    found = [audit(design_of(sizes, seed, name="random-pairs", folds=2)) for seed in range(30)]
    assert np.mean([a.balanced_accuracy for a in found]) == pytest.approx(found[0].expected, abs=0.02)
