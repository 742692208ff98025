"""The standard error over groups against a slow twin, and its coefficients against sums over unit effects."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from spectrosim_search.evaluation import verification as v
from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.spread import leave_out, spread
from spectrosim_search.protocol.design import Design

from .simulated import design_of, latent, method

Groups = tuple[int, ...]
Score = Callable[[int, int, Groups], float]  # cell, part, groups kept


class Twin:
    """All pairs, groups of equal size, parts where every group gives positive pairs."""

    def __init__(self, cells: Sequence[tuple[PairScores, ...]], design: Design) -> None:
        self.parts = [
            (c, p, tuple(np.unique(design.groups[part.left]).tolist()))
            for c, cell in enumerate(cells)
            for p, part in enumerate(cell)
        ]
        self.groups = sorted({g for _, _, members in self.parts for g in members})

    def score(self, of: Score, without: int | None = None) -> float:
        values, weights = [], []
        for c, p, members in self.parts:
            kept = tuple(g for g in members if g != without)
            if len(kept) > 1:
                values.append(of(c, p, kept))
                weights.append(len(kept) / len(members))
        return float(np.average(values, weights=weights))

    def jackknife(self, of: Score) -> float:
        x = np.array([self.score(of, g) for g in self.groups])
        return float(((x - x.mean()) ** 2).sum())

    def second(self, of: Score) -> float:
        total = 0.0
        for g, h in itertools.combinations(self.groups, 2):
            found = 0.0
            for c, p, members in self.parts:
                n = len(members)
                if g in members and h in members and n >= 4:
                    without = [tuple(m for m in members if m not in drop) for drop in ((), (g,), (h,), (g, h))]
                    s = [of(c, p, kept) for kept in without]
                    found += n * s[0] - (n - 1) * (s[1] + s[2]) + (n - 2) * s[3]
            total += (found / len(self.parts)) ** 2
        return total

    def coefficients(self, form: Callable[[Score], float]) -> np.ndarray:
        """A sum of squares of independent effects is expected to be its sum over the effects, one at a time."""
        alone = sum(form(lambda c, p, kept, g=g: (g in kept) / len(kept)) for g in self.groups)
        meeting = {pair for _, _, members in self.parts for pair in itertools.combinations(members, 2)}
        together = sum(
            form(lambda c, p, kept, b=b: (b[0] in kept and b[1] in kept) / math.comb(len(kept), 2)) for b in meeting
        )
        return np.array([alone, together])


def kept_auc(cells: Sequence[tuple[PairScores, ...]], design: Design) -> Score:
    def of(c: int, p: int, kept: Groups) -> float:
        part = cells[c][p]
        rows = np.isin(design.groups[part.left], kept) & np.isin(design.groups[part.right], kept)
        return float(v.auc(part.similarity[rows], part.positive[rows]))

    return of


@pytest.mark.parametrize(("groups", "seeds"), [(12, 1), (16, 2), (24, 2)])
def test_sums_of_squares_and_what_they_are_made_of_equal_a_slow_twin(groups: int, seeds: int) -> None:
    design = design_of(groups)
    cells = method(design, latent(design, np.random.default_rng(groups)), seeds)
    twin, of = Twin(cells, design), kept_auc(cells, design)
    left = leave_out(cells, Blocks.of([cells], design.units), "auc")
    change = left.change
    assert left.value == pytest.approx(twin.score(of))
    assert ((change - change.mean()) ** 2).sum() == pytest.approx(twin.jackknife(of))
    assert (left.mixed**2).sum() == pytest.approx(twin.second(of))
    assert left.layout.jackknife == pytest.approx(twin.coefficients(twin.jackknife))
    assert left.layout.second == pytest.approx(twin.coefficients(twin.second), abs=1e-12)
    assert left.layout.variance == pytest.approx(twin.coefficients(lambda s: twin.score(s) ** 2))
    a, b = left.layout.jackknife, left.layout.second
    ratio = 0.0
    if groups == 24:  # halves of four
        both = np.linalg.solve(np.array([a, b]), [twin.jackknife(of), twin.second(of)])
        ratio = min(max(both[1] / both[0], 0.0), 1.0) if both[0] > 0 else 1.0
    alone = twin.jackknife(of) / (a @ [1.0, ratio])
    expected = math.sqrt(left.layout.variance @ [alone, ratio * alone])
    assert spread(change, left.mixed, [left.layout]).error == pytest.approx(expected)


def one_part(groups: int, rng: np.random.Generator) -> tuple[list[tuple[PairScores]], np.ndarray]:
    """All pairs of groups of three in one part; similarities are random."""
    codes = np.repeat(np.arange(groups), 3)
    left, right = np.triu_indices(len(codes), 1)
    similarity = rng.normal(size=len(left)).astype(np.float32)
    part = PairScores(left, right, codes[left] == codes[right], np.zeros(len(left), np.int64), similarity, math.nan)
    return [(part,)], codes


def test_degrees_of_freedom_are_those_of_the_layout() -> None:
    for groups in (6, 20):
        cells, codes = one_part(groups, np.random.default_rng(0))
        layout = leave_out(cells, Blocks.of([cells], codes), "auc").layout
        assert layout.degrees(1.0, 0.0) == pytest.approx(groups - 1)  # a mean of groups
        assert 1 < layout.degrees(1.0, 1.0) < groups - 1
    for groups, halves in ((8, 4), (12, 6)):  # halves of two groups: as many observations
        design = design_of(groups)
        cells = method(design, latent(design, np.random.default_rng(1)), seeds=3)
        layout = leave_out(cells, Blocks.of([cells], design.units), "auc").layout
        assert layout.degrees(1.0, 0.0) == pytest.approx(halves - 1)
        assert layout.degrees(1.0, 1.0) == pytest.approx(halves - 1)


def test_the_degrees_tell_how_far_the_variance_scatters() -> None:
    """Gaussian effects of one part of six: the mean of squares over their variance, from 4,000 draws."""
    rng = np.random.default_rng(3)
    n, draws = 6, 4000
    cells, codes = one_part(n, rng)
    layout = leave_out(cells, Blocks.of([cells], codes), "auc").layout
    a, b = rng.normal(size=(draws, n)), np.sqrt(0.5) * rng.normal(size=(draws, math.comb(n, 2)))
    pairs = list(itertools.combinations(range(n), 2))

    def score(without: Groups) -> np.ndarray:
        kept = [g for g in range(n) if g not in without]
        met = [i for i, (g, h) in enumerate(pairs) if g in kept and h in kept]
        return np.asarray(a[:, kept].mean(axis=1) + b[:, met].mean(axis=1))

    one = np.array([score((g,)) for g in range(n)])
    two = [n * score(()) - (n - 1) * (one[g] + one[h]) + (n - 2) * score((g, h)) for g, h in pairs]
    weights = np.linalg.solve(np.array([layout.jackknife, layout.second]).T, layout.variance)
    found = weights @ [((one - one.mean(axis=0)) ** 2).sum(axis=0), (np.array(two) ** 2).sum(axis=0)]
    assert found.mean() == pytest.approx(layout.variance @ [1.0, 0.5], rel=0.06)
    assert 2 * found.mean() ** 2 / found.var() == pytest.approx(layout.degrees(1.0, 0.5), rel=0.12)


def test_methods_of_different_seeds_are_compared_by_the_poorer_layout() -> None:
    design = design_of(24)
    x = latent(design, np.random.default_rng(4))
    few, many = method(design, x, 1), method(design, x + 0.5, 4)
    blocks = Blocks.of([few, many], design.units)
    a, b = (leave_out(m, blocks, "auc") for m in (few, many))
    found = spread(a.change - b.change, a.mixed - b.mixed, [a.layout, b.layout])
    assert 0 < found.error < 0.1
    assert found.degrees <= max(a.layout.degrees(1.0, 0.0), b.layout.degrees(1.0, 0.0))


def test_a_group_without_which_nothing_is_left_tells_nothing() -> None:
    cells, codes = one_part(2, np.random.default_rng(5))
    left = leave_out(cells, Blocks.of([cells], codes), "auc")
    assert np.isnan(left.change).all() and math.isnan(spread(left.change, left.mixed, [left.layout]).error)
