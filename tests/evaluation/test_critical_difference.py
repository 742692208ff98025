"""Average ranks, Friedman's test and Nemenyi's distance against scipy and the example of Demšar (2006)."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from spectrosim_search.evaluation.critical_difference import critical_difference
from spectrosim_search.evaluation.statistics import holm

# AUC of C4.5, with cross-validated m, cf, both, over 14 data sets (Demšar 2006, table 6). The two
# .975 of one row are printed with ranks 2 and 3, so they differ beyond what is printed.
PUBLISHED = np.array(
    [
        [0.763, 0.768, 0.771, 0.798],
        [0.599, 0.591, 0.590, 0.569],
        [0.954, 0.971, 0.968, 0.967],
        [0.628, 0.661, 0.654, 0.657],
        [0.882, 0.888, 0.886, 0.898],
        [0.936, 0.931, 0.916, 0.931],
        [0.661, 0.668, 0.609, 0.685],
        [0.583, 0.583, 0.563, 0.625],
        [0.775, 0.838, 0.866, 0.875],
        [1.000, 1.000, 1.000, 1.000],
        [0.940, 0.962, 0.965, 0.962],
        [0.619, 0.666, 0.614, 0.669],
        [0.972, 0.981, 0.9751, 0.9749],
        [0.957, 0.978, 0.946, 0.970],
    ]
)
NAMES = ("C4.5", "C4.5+m", "C4.5+cf", "C4.5+m+cf")


def test_the_published_example() -> None:
    found = critical_difference(PUBLISHED, NAMES)
    assert found.ranks == pytest.approx((3.143, 2.000, 2.893, 1.964), abs=5e-4)
    ranks = np.array(found.ranks)
    plain = 12 * 14 / (4 * 5) * ((ranks**2).sum() - 4 * 25 / 4)
    assert plain == pytest.approx(9.28, abs=0.005)  # printed without the correction for ties
    assert found.chi_square == pytest.approx(stats.friedmanchisquare(*PUBLISHED.T).statistic)
    assert found.chi_square > plain
    assert found.statistic == pytest.approx(13 * found.chi_square / (14 * 3 - found.chi_square))
    assert found.p == pytest.approx(stats.f.sf(found.statistic, 3, 39)) and found.p < 0.05
    assert found.distance == pytest.approx(1.25, abs=0.005)
    assert critical_difference(PUBLISHED, NAMES, alpha=0.10).distance == pytest.approx(1.12, abs=0.005)
    assert found.blocks == 14 and found.names == NAMES
    # No two are further apart than 1.25, though the test says that not all are alike.
    assert found.cliques == ((3, 1, 2, 0),)


@pytest.mark.parametrize(("methods", "q"), [(3, 2.343), (5, 2.728), (10, 3.164)])
def test_critical_values_of_the_published_table(methods: int, q: float) -> None:
    scores = np.random.default_rng(0).random((6, methods))
    found = critical_difference(scores, [str(i) for i in range(methods)])
    assert found.distance / math.sqrt(methods * (methods + 1) / 36) == pytest.approx(q, abs=1e-3)


def test_clear_order_and_overlapping_cliques() -> None:
    scores = np.tile([0.9, 0.5, 0.7, 0.6], (30, 1))
    found = critical_difference(scores, "abcd")
    assert found.ranks == (1.0, 4.0, 2.0, 3.0)
    assert found.statistic == math.inf and found.p == 0.0 and found.cliques == ()
    few = critical_difference(scores[:10], "abcd")  # distance 1.48: neighbours only
    assert few.cliques == ((0, 2), (2, 3), (3, 1))
    assert max(few.pairwise.values()) < 0.05


def test_pairs_are_tested_by_signed_ranks_with_holm() -> None:
    found = critical_difference(PUBLISHED[:, [0, 1, 3]], ("a", "b", "c"))
    raw = []
    for i, j in ((0, 1), (0, 2), (1, 2)):
        d = PUBLISHED[:, [0, 1, 3]][:, i] - PUBLISHED[:, [0, 1, 3]][:, j]
        raw.append(float(stats.wilcoxon(d[d != 0]).pvalue))
    assert list(found.pairwise.values()) == pytest.approx(holm(raw))
    assert list(found.pairwise) == [(0, 1), (0, 2), (1, 2)]


def test_equal_methods_are_alike_and_rejection_keeps_its_rate() -> None:
    same = critical_difference(np.ones((5, 3)), "abc")
    assert (same.statistic, same.p) == (0.0, 1.0) and set(same.pairwise.values()) == {1.0}
    assert same.cliques == ((0, 1, 2),)
    rng = np.random.default_rng(1)
    rejected = sum(critical_difference(rng.random((10, 4)), "abcd").p < 0.05 for _ in range(200))
    assert rejected <= 10 + 2 * math.sqrt(200 * 0.05 * 0.95) + 1


@pytest.mark.parametrize(
    ("scores", "names", "said"),
    [
        (np.ones((2, 3)), "abc", "2 blocks"),
        (np.ones((4, 2)), "ab", "2 methods"),
        (np.ones((4, 3)), "ab", "for 2 names"),
        (np.array([[1, 2, 3], [1, 2, np.nan], [1, 2, 3]]), "abc", "not a number"),
    ],
)
def test_what_cannot_be_compared_is_refused(scores: np.ndarray, names: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        critical_difference(scores, names)
