"""Transformations do what they say, and the loss is the weighted sum of seven cross-entropies."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from spectrosim_search.learning.pretext import TRANSFORMATIONS, Pretext, pretext_loss, transform
from spectrosim_search.learning.randomness import RowStream, Stream

X = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 12, 50)).cumsum(axis=-1).astype(np.float32))
SPREAD = X.std()


USUAL = Pretext()


def changed(kind: int, pretext: Pretext = USUAL, step: int = 0) -> torch.Tensor:
    random = RowStream(Stream.of_seeds([3], step, "views"), X.shape[1], 0)
    return transform(X, torch.full((1, 12), kind), pretext, SPREAD, random)


def test_unchanged_is_unchanged() -> None:
    assert torch.equal(changed(0), X)


def test_noise_has_the_asked_deviation() -> None:
    noise = (changed(1, Pretext(noise=0.3)) - X) / SPREAD
    assert float(noise.std()) == pytest.approx(0.3, rel=0.1)
    assert abs(float(noise.mean())) < 0.05


def test_offset_is_one_number_a_spectrum_between_half_and_all_of_its_bound() -> None:
    moved = (changed(2, Pretext(offset=0.2)) - X) / SPREAD
    assert (moved.std(dim=-1) < 1e-5).all()
    size = moved.mean(dim=-1).abs()
    assert ((size > 0.0999) & (size < 0.2001)).all()
    assert (moved.mean(dim=-1) > 0).any()
    assert (moved.mean(dim=-1) < 0).any()


def test_multiplication_is_one_factor_a_spectrum() -> None:
    factor = changed(3, Pretext(multiplication=0.4)) / X
    assert ((factor - factor[..., :1]).abs() < 1e-3).all()
    size = (factor[..., 0] - 1).abs()
    assert ((size > 0.1999) & (size < 0.4001)).all()


def test_flips_mirror_at_the_mean_and_along_the_axis() -> None:
    level = X.mean(dim=-1, keepdim=True)
    torch.testing.assert_close(changed(4) - level, level - X)
    assert torch.equal(changed(5), X.flip(-1))


@pytest.mark.parametrize("segments", [2, 4, 7])
def test_permutation_exchanges_whole_segments_and_never_leaves_them_all(segments: int) -> None:
    out = changed(6, Pretext(segments=segments))
    size = 50 // segments
    for before, after in zip(X[0], out[0]):
        own = [tuple(before[i * size : (i + 1) * size].tolist()) for i in range(segments)]
        new = [tuple(after[i * size : (i + 1) * size].tolist()) for i in range(segments)]
        assert sorted(own) == sorted(new)
        assert own != new
        assert torch.equal(before[segments * size :], after[segments * size :])


def test_a_mixed_batch_changes_each_row_in_its_own_way() -> None:
    kinds = torch.arange(12).remainder(7).unsqueeze(0)
    random = RowStream(Stream.of_seeds([3], 0, "views"), 12, 0)
    mixed = transform(X, kinds, Pretext(), SPREAD, random)
    for row in range(12):
        assert torch.equal(mixed[0, row], changed(int(kinds[0, row]))[0, row])
    assert len(TRANSFORMATIONS) == 6


def test_a_kind_that_is_not_shown_is_never_made() -> None:
    assert torch.equal(changed(5, Pretext(kinds=(1,), weights=(1.0, 1.0))), X)


def test_the_loss_is_the_weighted_sum_of_binary_cross_entropies() -> None:
    pretext = Pretext(kinds=(2, 5), weights=(1.0, 0.5, 2.0))
    logits = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 6, 3))).double()
    kind = torch.tensor([[0, 2, 5, 5, 2, 0], [5, 5, 5, 0, 2, 0]])
    told = pretext_loss(logits, kind, pretext)
    for replicate in range(2):
        slow = 0.0
        for head, (asked, weight) in enumerate(zip((0, 2, 5), pretext.weights)):
            for row in range(6):
                p = 1 / (1 + math.exp(-float(logits[replicate, row, head])))
                slow -= weight * math.log(p if int(kind[replicate, row]) == asked else 1 - p) / 6
        assert float(told[replicate]) == pytest.approx(slow, abs=1e-9)
