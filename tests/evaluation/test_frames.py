"""Frames are shared by equal pairs alone, and comparing inside them equals comparing pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectrosim_search.evaluation import frames, resampling
from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.frames import frame_of
from spectrosim_search.evaluation.resampling import part_values
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.statistics import jackknife, paired_difference

from .simulated import design_of, latent, method

GROUPS = np.repeat(np.arange(6), 4)


def part_of(rng: np.random.Generator) -> PairScores:
    left, right = np.triu_indices(len(GROUPS), 1)
    similarity = rng.normal(size=len(left)).round(1).astype(np.float32)  # ties
    labels = GROUPS % 2
    stratum = labels[left] + labels[right]
    return PairScores(left, right, GROUPS[left] == GROUPS[right], stratum, similarity, float("nan"))


def test_equal_pairs_share_a_frame_and_others_do_not() -> None:
    rng = np.random.default_rng(0)
    part, blocks = part_of(rng), Blocks.of([[[part_of(rng)]]], GROUPS)
    copy = PairScores(
        *(np.array(v) for v in (part.left, part.right, part.positive, part.stratum)), part.similarity, 0.5
    )
    assert frame_of(copy, Blocks.of([[[part]]], GROUPS)) is frame_of(part, blocks)
    for name in ("left", "right", "positive", "stratum"):
        changed = np.array(getattr(part, name))
        changed[5] = not changed[5] if name == "positive" else changed[5] + 1
        assert frame_of(replace(part, **{name: changed}), blocks) is not frame_of(part, blocks)
    coarser = Blocks.of([[[part]]], GROUPS // 2)
    assert len(frame_of(part, coarser).members) == 3


def test_large_parts_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    part = part_of(np.random.default_rng(1))
    blocks = Blocks.of([[[part]]], GROUPS)
    monkeypatch.setattr(frames, "KEPT_PAIRS", len(part.left) - 1)
    assert frame_of(part, blocks) is not frame_of(part, blocks)


@pytest.mark.parametrize("metric", ["auc", "matched_auc"])
def test_wins_by_table_equal_wins_by_rank(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    part = part_of(rng)
    frame = frame_of(part, Blocks.of([[[part]]], GROUPS))
    similarity = part.similarity.astype(np.float64)
    for stratum in frame.strata(metric):
        wins = resampling._wins(similarity, stratum)
        assert np.array_equal(wins, resampling._ranked_wins(similarity[stratum.up], similarity[stratum.down], stratum))
        for i, own in enumerate(stratum.own):
            for j, against in enumerate(stratum.against):
                ups = similarity[stratum.up[frame.code[stratum.up] == own]]
                downs = similarity[stratum.down[frame.code[stratum.down] == against]]
                assert wins[i, j] == sum((u > d) + 0.5 * (u == d) for u in ups for d in downs)
    weights = rng.integers(0, 3, size=(20, 6)).astype(float)
    table = part_values(part, frame, weights, metric)
    monkeypatch.setattr(resampling, "MANY", 0)  # every stratum by ranks
    assert np.array_equal(table, part_values(part, frame, weights, metric), equal_nan=True)


def test_what_is_kept_of_one_method_does_not_touch_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same numbers whether or not other methods on the same pairs, some of them undefined, came before."""
    design = design_of(24)
    rng = np.random.default_rng(3)
    a, b = (method(design, latent(design, rng, signal), seeds=2) for signal in (1.0, 0.5))
    holed = [*a[:-1], tuple(replace(p, similarity=np.full_like(p.similarity, np.nan)) for p in a[-1])]

    def found() -> list[float]:
        out = []
        for metric in ("auc", "matched_auc", "mcc"):
            for one in (a, holed, b):
                out += [jackknife(one, design.units, metric).standard_error]
            out += [paired_difference(x, y, design.units, metric).p for x, y in ((a, b), (holed, b), (b, a))]
        return out

    shared = found()
    assert len({round(v, 12) for v in shared if v == v}) > 8
    monkeypatch.setattr(frames, "KEPT_PAIRS", 0)
    assert np.array_equal(shared, found(), equal_nan=True)
