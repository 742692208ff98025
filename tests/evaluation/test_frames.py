"""Frames are shared by equal pairs alone, and comparing inside them equals comparing pair by pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectrosim_search.evaluation import frames, resampling, statistics
from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.frames import Frame, frame_of, frames_of
from spectrosim_search.evaluation.methods import values_under, values_without
from spectrosim_search.evaluation.resampling import FEW, part_values
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.spread import LeftOut, leave_out
from spectrosim_search.evaluation.statistics import jackknife, paired_difference
from spectrosim_search.evaluation.verification import METRICS

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


def test_parts_of_one_method_share_a_frame_however_large(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    part, other = part_of(rng), part_of(rng)
    fewer = replace(part, **{n: getattr(part, n)[:90] for n in ("left", "right", "positive", "stratum", "similarity")})
    blocks = Blocks.of([[[part]]], GROUPS)
    monkeypatch.setattr(frames, "KEPT_PAIRS", 0)
    first, second, third = frames_of([part, fewer, other], blocks)
    assert first is third and first is not second
    np.testing.assert_array_equal(second.code, frame_of(fewer, blocks).code)


@pytest.mark.parametrize("large", [False, True])
def test_what_is_known_of_a_method_serves_all_its_differences(large: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if large:
        monkeypatch.setattr(frames, "KEPT_PAIRS", 0)
    rng = np.random.default_rng(4)
    one = [[part_of(rng)] for _ in range(3)]
    others = [[[part_of(rng)]] for _ in range(4)]
    asked: list[object] = []

    def counted(method: object, *rest: object) -> object:
        asked.append(method)
        return leave_out(method, *rest)  # type: ignore[arg-type]

    expected = [paired_difference(one, other, GROUPS, "auc") for other in others]
    monkeypatch.setattr(statistics, "leave_out", counted)
    known: dict[bytes, LeftOut] = {}
    assert [paired_difference(one, other, GROUPS, "auc", known=known) for other in others] == expected
    assert sum(method is one for method in asked) == 1 and len(asked) == 5
    fewer = GROUPS // 2  # other blocks: what is known does not hold there
    assert paired_difference(one, others[0], fewer, "auc", known=known) == paired_difference(
        one, others[0], fewer, "auc"
    )


@pytest.mark.parametrize("metric", ["auc", "matched_auc"])
def test_wins_by_table_equal_wins_by_rank_and_pair_by_pair(metric: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    parts = [part_of(rng) for _ in range(3)]
    frame = frame_of(parts[0], Blocks.of([[[parts[0]]]], GROUPS))
    similarity = np.array([part.similarity for part in parts], dtype=np.float64)
    for stratum in frame.strata(metric):
        wins = resampling._wins(similarity, stratum)
        for t, s in enumerate(similarity):
            assert np.array_equal(wins[t], resampling._ranked_wins(s[stratum.up], s[stratum.down], stratum))
            for i, own in enumerate(stratum.own):
                for j, against in enumerate(stratum.against):
                    ups = s[stratum.up[frame.code[stratum.up] == own]]
                    downs = s[stratum.down[frame.code[stratum.down] == against]]
                    assert wins[t, i, j] == sum((u > d) + 0.5 * (u == d) for u in ups for d in downs)
    weights = rng.integers(0, 3, size=(20, 6)).astype(float)
    table = part_values(parts, frame, weights, metric)
    monkeypatch.setattr(resampling, "BEATEN", similarity.shape[1])  # one method at a time, or every stratum by ranks
    assert np.array_equal(table, part_values(parts, frame, weights, metric), equal_nan=True)
    monkeypatch.setattr(resampling, "MANY", 0)
    assert np.array_equal(table, part_values(parts, frame, weights, metric), equal_nan=True)


@pytest.mark.parametrize("metric", METRICS)
def test_methods_together_are_scored_as_each_alone(metric: str) -> None:
    """Some with fewer cells, one with a similarity that is not a number."""
    design = design_of(12)
    rng = np.random.default_rng(4)
    methods = [method(design, latent(design, rng), seeds=2, noise=0.1, rng=rng) for _ in range(3)]
    holed = [tuple(replace(p, similarity=np.full_like(p.similarity, np.nan)) for p in methods[0][0]), *methods[0][1:]]
    methods += [methods[1][:2], holed]
    blocks = Blocks.of(methods, design.units)
    weights = rng.integers(0, 3, size=(9, blocks.count)).astype(float)
    together = values_under(methods, blocks, weights, metric)
    without = values_without(methods, blocks, metric)
    for t, one in enumerate(methods):
        assert np.allclose(
            together[t], values_under([one], blocks, weights, metric)[0], rtol=0, atol=1e-14, equal_nan=True
        )
        for g in range(blocks.count):
            kept = np.ones((1, blocks.count))
            kept[0, g] = 0.0
            expected = values_under([one], blocks, kept, metric)[0, 0]
            assert without[t, g] == pytest.approx(expected, abs=1e-14, nan_ok=True)


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


@pytest.mark.parametrize("metric", ["auc", "matched_auc"])
def test_few_weightings_are_summed_as_many_are(metric: str) -> None:
    rng = np.random.default_rng(3)
    units = np.repeat(np.arange(9), 6)
    left, right = np.triu_indices(units.size, 1)
    positive = units[left] == units[right]
    stratum = np.where(units[left] % 2 == units[right] % 2, units[left] % 2, -1)
    values = rng.normal(size=left.size)
    parts = [
        PairScores(left, right, positive, stratum, s, float("nan"))
        for s in (values + positive, values.round() + positive)  # the second has ties
    ]
    frame = Frame.of(parts[0], np.arange(9), units[left], units[right])
    weights = rng.multinomial(9, np.full(9, 1 / 9), size=200).astype(np.float64)
    assert len(frame.strata(metric)[0].up) > 3 * FEW
    together = part_values(parts, frame, weights, metric)
    alone = np.concatenate([part_values(parts, frame, weights[i : i + 3], metric) for i in range(0, 198, 3)], axis=1)
    np.testing.assert_allclose(alone, together[:, :198], rtol=1e-12, equal_nan=True)
