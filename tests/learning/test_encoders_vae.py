"""The variational autoencoder: its draws, its penalties against library oracles, and that it learns to rebuild."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Independent, Normal, kl_divergence

from spectrosim_search.learning.encoders import vae
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.randomness import Stream
from tests.learning.test_families import normals, tensors

F64 = torch.float64
LENGTH = 70
SETTINGS = vae.Settings(width=16, depth=1, out=6)


def context(x: torch.Tensor, step: int | None, **values: float) -> Context:
    held = {"reconstruction": 1.0, "divergence": 1.0, "dropout": 0.0, **values}
    axis = torch.linspace(77, 999, LENGTH, dtype=F64).expand(2, -1)
    stream = None if step is None else Stream.of_seeds([0, 1], step)
    return Context(axis, {n: torch.full((2,), v, dtype=F64) for n, v in held.items()}, stream, spectra=x)


def leaves() -> dict[str, torch.Tensor]:
    return tensors(vae.parameters(SETTINGS, LENGTH), 2, F64)


def test_divergence_is_torchs():
    mean, log_variance = normals(2, 5, 6, dtype=F64), normals(2, 5, 6, dtype=F64, seed=1)
    oracle = kl_divergence(
        Independent(Normal(mean, (0.5 * log_variance).exp()), 1),
        Independent(Normal(torch.zeros_like(mean), torch.ones_like(mean)), 1),
    )
    torch.testing.assert_close(vae.divergence(mean, log_variance), oracle.mean(dim=1) / 6, atol=1e-12, rtol=0)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_rebuilding_error_is_relative(scale):
    x = scale * normals(2, 5, LENGTH, dtype=F64)
    mean = torch.zeros_like(x)
    torch.testing.assert_close(vae.rebuilding_error(mean, x), torch.ones(2, dtype=F64))
    torch.testing.assert_close(vae.rebuilding_error(0.9 * x, x), torch.full((2,), 0.01, dtype=F64))
    assert torch.isfinite(vae.rebuilding_error(x, torch.zeros_like(x))).all()


def test_draws_lie_around_the_mean_of_inference():
    p, x = leaves(), normals(2, 3, LENGTH, dtype=F64)
    with torch.no_grad():
        mean = vae.forward(SETTINGS, p, x, context(x, None))
        draws = torch.stack([vae.forward(SETTINGS, p, x, context(x, step)) for step in range(400)])
    deviation = draws.std(dim=0)
    assert (deviation > 0.1).all()
    assert ((draws.mean(dim=0) - mean).abs() < 5 * deviation / 20).all()


def test_penalties_follow_their_weights_and_the_spectra_before_rounding():
    p, x = leaves(), normals(2, 3, LENGTH, dtype=F64)
    one = context(x, 3)
    other = context(x, 3, reconstruction=0.5, divergence=4.0)
    shifted = context(x + 1, 3)
    for c in (one, other, shifted):
        vae.forward(SETTINGS, p, x, c)
    torch.testing.assert_close(other.penalties[0], 0.5 * one.penalties[0])
    torch.testing.assert_close(other.penalties[1], 4.0 * one.penalties[1])
    assert (shifted.penalties[0] != one.penalties[0]).all()
    assert torch.equal(shifted.penalties[1], one.penalties[1])


def test_penalties_teach_the_decoder_to_rebuild():
    p = leaves()
    directions = normals(4, LENGTH, dtype=F64, seed=2)
    x = normals(2, 40, 4, dtype=F64, seed=3) @ directions
    optimiser = torch.optim.Adam(list(p.values()), lr=1e-2)
    seen = []
    for step in range(150):
        c = context(x, step, divergence=0.001)
        vae.forward(SETTINGS, p, x, c)
        seen.append(float(c.penalties[0].mean().detach()))
        optimiser.zero_grad()
        sum(term.sum() for term in c.penalties).backward()
        optimiser.step()
    assert seen[0] > 0.8
    assert seen[-1] < 0.2


def test_without_information_the_divergence_pulls_to_a_standard_normal():
    p, x = leaves(), normals(2, 20, LENGTH, dtype=F64)
    optimiser = torch.optim.Adam(list(p.values()), lr=1e-2)
    for step in range(200):
        c = context(x, step, reconstruction=0.0)
        drawn = vae.forward(SETTINGS, p, x, c)
        optimiser.zero_grad()
        c.penalties[1].sum().backward()
        optimiser.step()
    assert float(c.penalties[1].detach().max()) < 0.05
    assert float(drawn.detach().std()) == pytest.approx(1, abs=0.2)
