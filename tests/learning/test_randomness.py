from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrosim_search.learning.randomness import USES, Stream, seed_words


def reference(seed: int, step: int, use: int, count: int) -> np.ndarray:
    """The same words by plain integer arithmetic modulo 2**32."""
    size = 1 << 32

    def mixed(x: int, between: int) -> int:
        x = (x ^ (x >> 16)) * 0x7FEB352D % size
        x = (x + between) % size
        x = (x ^ (x >> 15)) * 0x846CA68B % size
        return x ^ (x >> 16)

    one, two = (w % size for w in seed_words(seed))
    one, two = (mixed(w ^ (step * 0x7FEB352D % size), 0) for w in (one, two))
    first = mixed((use * 0x9E3779B9 % size) ^ one, two)
    second = mixed(first ^ two, one)
    return np.array([mixed((e * 0x9E3779B9 % size) ^ first, second) for e in range(count)], dtype=np.uint32)


def test_words_are_those_of_plain_integer_arithmetic():
    stream = Stream.of_seeds([3, 12345678901234567890], 17)
    for row, seed in enumerate((3, 12345678901234567890)):
        got = stream.words(7, 50)[row].numpy().view(np.uint32)
        np.testing.assert_array_equal(got, reference(seed, 17, 7, 50))


def test_numbers_do_not_depend_on_place_or_neighbours():
    alone, among = Stream.of_seeds([5], 2), Stream.of_seeds([9, 8, 5], 2)
    assert torch.equal(alone.normal(3, 101)[0], among.normal(3, 101)[2])
    assert torch.equal(alone.words(3, 10)[0], among.words(3, 200)[2, :10])


def test_the_global_generator_is_neither_used_nor_touched():
    before = torch.get_rng_state()
    Stream.of_seeds([1], 0).normal(0, 10)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("change", ["seed", "step", "use"])
def test_streams_look_independent(change):
    base, other = Stream.of_seeds([1], 4), Stream.of_seeds([2 if change == "seed" else 1], 5 if change == "step" else 4)
    a, b = base.normal(0, 40_000)[0], other.normal(1 if change == "use" else 0, 40_000)[0]
    for lag in range(4):
        assert abs(float((a[lag:] * b[: b.numel() - lag]).mean())) < 0.025  # five standard errors


def test_uniform_and_normal_distributions():
    stream = Stream.of_seeds([0, 1], 1)
    u = stream.uniform(2, 100_000)
    assert (u >= 0).all()
    assert (u < 1).all()
    counts = torch.stack([torch.histc(row, 20, 0, 1) for row in u])
    assert ((counts - 5000).square() / 5000).sum(dim=1).max() < 50  # chi-square, 19 degrees of freedom
    n = stream.normal(3, 100_001)
    assert n.shape == (2, 100_001)
    assert n.mean(dim=1).abs().max() < 0.02
    assert (n.std(dim=1) - 1).abs().max() < 0.02
    assert (n.pow(4).mean(dim=1) - 3).abs().max() < 0.15


def test_all_words_of_a_stream_differ():
    assert Stream.of_seeds([0], 0).words(0, 100_000).unique().numel() == 100_000


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_dropout_rate_scale_and_independence_of_neighbours(dtype):
    x = torch.ones(3, 50, 401, dtype=dtype)
    rate = torch.tensor([0.0, 0.1, 0.5])
    masks = Stream.of_seeds([1, 2, 3], 0).dropout(x, rate, 5, 2)
    assert masks.shape == (3, 2, 50, 401)
    assert not torch.equal(masks[1, 0], masks[1, 1])
    assert torch.equal(Stream.of_seeds([1, 2, 3], 0).dropout(x, rate, 6, 1)[:, 0], masks[:, 1])
    out = x * masks[:, 0]
    assert out.dtype == dtype
    assert torch.equal(out[0], x[0])
    for row in (1, 2):
        share = float((out[row] == 0).double().mean())
        rounded = round(float(rate[row]) * 256) / 256
        assert abs(share - rounded) < 0.02
        torch.testing.assert_close(float(out[row].max()), 1 / (1 - rounded), rtol=5e-3, atol=0)
    assert torch.equal(Stream.of_seeds([3], 0).dropout(x[2:], rate[2:], 5, 1)[0, 0], out[2])


def test_uses_of_one_step_differ():
    first = torch.stack([Stream.of_seeds([0], 0).words(use, 2)[0] for use in range(USES)])
    assert first.unique(dim=0).shape[0] == USES
