from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrosim_search.learning.scores import alignment, auc, effective_rank, uniformity, usable_strata


def slow(similarity, positive, stratum):
    """Matched AUC by counting every comparison."""
    total = weight = 0.0
    for s in set(stratum.tolist()) - {-1}:
        up = similarity[(stratum == s) & positive]
        down = similarity[(stratum == s) & ~positive]
        if len(up) and len(down):
            wins = sum((a > b) + 0.5 * (a == b) for a in up for b in down)
            total += wins / len(down)
            weight += len(up)
    return total / weight if weight else float("nan")


@pytest.mark.parametrize("levels", [3, 1000])  # many ties, hardly any
def test_equals_counting(levels):
    rng = np.random.default_rng(levels)
    similarity = (rng.integers(0, levels, (5, 60)) / levels * 2 - 1).astype(np.float32)
    positive, stratum = rng.random((5, 60)) < 0.3, rng.integers(-1, 4, (5, 60))
    positive[4] = False
    marked = np.where(stratum < 0, 4, stratum)
    got = auc(*(torch.from_numpy(a) for a in (similarity, positive, marked)), 4).numpy()
    for row in range(4):
        assert got[row] == pytest.approx(slow(similarity[row], positive[row], stratum[row]), abs=1e-12)
    assert np.isnan(got[4])


def test_constant_similarities_are_chance():
    positive = torch.tensor([[True, False, True, False, False]])
    got = auc(torch.zeros(1, 5), positive, torch.zeros(1, 5, dtype=torch.int64), 1)
    assert float(got) == 0.5


def test_no_pairs_is_undefined():
    empty = torch.zeros(2, 0)
    assert auc(empty, empty == 1, empty.long(), 1).isnan().all()


def test_strata_that_lack_a_kind_do_not_count():
    positive = np.array([True, False, True, False, False])
    stratum = np.array([7, 7, 3, 5, -1])
    np.testing.assert_array_equal(usable_strata(positive, stratum, "matched_auc"), [0, 0, -1, -1, -1])
    np.testing.assert_array_equal(usable_strata(positive, stratum, "auc"), np.zeros(5))
    # nothing can be matched: all pairs
    np.testing.assert_array_equal(usable_strata(positive, np.arange(5), "matched_auc"), np.zeros(5))


def test_effective_rank():
    rank = effective_rank(torch.stack([torch.eye(6), torch.ones(6, 6)]))
    torch.testing.assert_close(rank, torch.tensor([6.0, 1.0]), atol=1e-3, rtol=0)


def test_alignment_and_uniformity_equal_loops_over_pairs():
    z, other = (torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(s)) for s in (0, 1))
    for r in range(3):
        a, b = ([v / np.linalg.norm(v) for v in t[r].double().numpy()] for t in (z, other))
        near = np.mean([np.sum((x - y) ** 2) for x, y in zip(a, b)])
        even = np.log(np.mean([np.exp(-2 * np.sum((a[i] - a[j]) ** 2)) for i in range(7) for j in range(i)]))
        assert float(alignment(z, other)[r]) == pytest.approx(near, abs=1e-5)
        assert float(uniformity(z)[r]) == pytest.approx(even, abs=1e-5)
    one = torch.ones(1, 4, 3)
    assert float(alignment(one, one)[0]) == 0 and float(uniformity(one)[0]) == pytest.approx(0, abs=1e-5)
    assert torch.isnan(uniformity(one[:, :1])).all()
