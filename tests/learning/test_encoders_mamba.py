"""The scan in chunks against one token after the other, and the encoder against a recurrent twin."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from spectrosim_search.learning.encoders import mamba
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.layers_scan import _chunk, selective_scan
from tests.learning.test_families import normals, tensors

F64 = torch.float64


def inputs(tokens: int, dtype: torch.dtype = F64, strength: float = 1.0) -> list[torch.Tensor]:
    """x, step, rate, enter, leave of 2 replicates, 3 rows, 5 channels, 4 states."""
    x, step = normals(2, 3, tokens, 5, dtype=dtype), normals(2, 3, tokens, 5, dtype=dtype, seed=1).abs()
    rate = -strength * normals(2, 4, 5, dtype=dtype, seed=2).abs()
    enter, leave = (normals(2, 3, tokens, 4, dtype=dtype, seed=s) for s in (3, 4))
    return [t.requires_grad_() for t in (x, step, rate, enter, leave)]


def sequential(x, step, rate, enter, leave):
    """One token after the other; gradients by autograd."""
    state = x.new_zeros(2, 3, 4, 5)
    out = []
    for t in range(x.shape[2]):
        decay = torch.exp(step[:, :, t, None, :] * rate[:, None])
        state = decay * state + (step[:, :, t] * x[:, :, t])[:, :, None, :] * enter[:, :, t, :, None]
        out.append((leave[:, :, t, :, None] * state).sum(dim=2))
    return torch.stack(out, dim=2)


@pytest.mark.parametrize("chunk", [None, 1, 2, 4, 100])
@pytest.mark.parametrize("tokens", [1, 2, 3, 8, 9, 23, 65])
def test_chunks_are_one_token_after_the_other(tokens, chunk):
    given = inputs(tokens)
    fast, slow = selective_scan(*given, chunk=chunk), sequential(*given)
    torch.testing.assert_close(fast, slow, atol=1e-9, rtol=0)
    upstream = normals(*fast.shape, dtype=F64, seed=5)
    pairs = [torch.autograd.grad((y * upstream).sum(), given, allow_unused=True) for y in (fast, slow)]
    for ours, theirs, like in zip(*pairs, given):
        # with one token no state is carried and autograd knows no gradient of the rate
        torch.testing.assert_close(ours, torch.zeros_like(like) if theirs is None else theirs, atol=1e-9, rtol=0)
    with torch.no_grad():
        assert torch.equal(selective_scan(*given, chunk=chunk), fast)


def test_gradcheck():
    x, step, rate, enter, leave = (t.detach() for t in inputs(7))
    small = [v[:1, :1, :, :2] for v in (x, step)] + [rate[:1, :2, :2]] + [v[:1, :1, :, :2] for v in (enter, leave)]
    small = [v.clone().requires_grad_() for v in small]
    assert torch.autograd.gradcheck(selective_scan, small)


@pytest.mark.parametrize("strength", [1e-6, 1e3])
def test_weak_and_strong_decays_stay_finite_in_single_precision(strength):
    given = inputs(300, torch.float32, strength)
    out = selective_scan(*given)
    assert torch.isfinite(out).all()
    for gradient in torch.autograd.grad(out.square().mean(), given):
        assert torch.isfinite(gradient).all()
    torch.testing.assert_close(out, sequential(*given), atol=2e-3, rtol=1e-3)


def test_what_comes_later_changes_nothing_before():
    given = inputs(20)
    changed = [t.detach().clone() for t in given]
    for place in (0, 1, 3, 4):
        changed[place][:, :, 12:] += 1
    before, after = selective_scan(*given), selective_scan(*changed)
    assert torch.equal(before[:, :, :12], after[:, :, :12])
    assert (before[:, :, 12:] != after[:, :, 12:]).all()


SETTINGS = mamba.Settings(patch=8, width=6, depth=2, states=3, convolution=3, out=5)


def recurrent(settings, p, x, axis):
    """One spectrum at a time, one token at a time, in NumPy; p and axis of one replicate."""

    def silu(v):
        return v / (1 + np.exp(-v))

    def norm(v, name):
        return (v - v.mean()) / np.sqrt(v.var() + 1e-5) * p[name + ".gain"] + p[name + ".bias"]

    tokens = -(-x.size // settings.patch)
    cut = np.pad(x, (0, tokens * settings.patch - x.size)).reshape(tokens, settings.patch)
    ends = [(t * settings.patch, min((t + 1) * settings.patch, x.size) - 1) for t in range(tokens)]
    centre = np.array([(axis[a] + axis[b]) / 2 for a, b in ends])
    angle = (
        2 * np.pi * np.outer((centre - axis[0]) / (axis[-1] - axis[0]), 2 ** np.linspace(-1, np.log2(tokens) - 1, 16))
    )
    waves = np.sqrt(2) * np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    scale, shift = np.split(waves @ p["position.weight"] + p["position.bias"], 2, axis=1)
    h = (cut @ p["patch.weight"] + p["patch.bias"]) * (1 + scale) + shift
    inner, rank = 2 * settings.width, 1
    start = np.log(np.expm1(np.logspace(-2, 0, inner)))
    for block in range(settings.depth):
        q = {n.removeprefix(f"block{block}."): v for n, v in p.items() if n.startswith(f"block{block}.")}
        order = range(tokens - 1, -1, -1) if settings.direction == "alternate" and block % 2 else range(tokens)
        state = np.zeros((inner, settings.states))
        window = [np.zeros(inner)] * settings.convolution
        for t in order:
            both = norm(h[t], f"block{block}.norm") @ q["enter.weight"]
            window = [*window[1:], both[:inner]]
            u = silu(sum(w * v for w, v in zip(q["convolution.weight"], window)) + q["convolution.bias"])
            chosen = u @ q["select.weight"]
            step = np.log1p(np.exp(chosen[:rank] @ q["step.weight"] + q["step.bias"] + start))
            enter, leave = np.split(chosen[rank:], 2)
            for e in range(inner):
                for n in range(settings.states):
                    rate = -(n + 1) * np.exp(q["rate.log"][n, e])
                    state[e, n] = np.exp(step[e] * rate) * state[e, n] + step[e] * enter[n] * u[e]
            y = (state @ leave + q["skip.gain"] * u) * silu(both[inner:])
            h[t] = h[t] + y @ q["leave.weight"]
    pooled = np.mean([norm(token, "norm") for token in h], axis=0)
    return pooled @ p["out.weight"] + p["out.bias"]


@pytest.mark.parametrize("direction", ["alternate", "forward"])
def test_encoder_is_its_recurrent_twin(direction):
    settings = mamba.Settings(**{**SETTINGS.__dict__, "direction": direction})
    p = tensors(mamba.parameters(settings, 70), 2, F64)
    x = normals(2, 3, 70, dtype=F64)
    axis = torch.linspace(9, 20, 70, dtype=F64).square().expand(2, -1)
    out = mamba.forward(settings, p, x, Context(axis, {})).detach().numpy()
    for r in range(2):
        own = {n: v[r].detach().numpy() for n, v in p.items()}
        for m in range(3):
            twin = recurrent(settings, own, x[r, m].numpy(), axis[r].numpy())
            np.testing.assert_allclose(out[r, m], twin, atol=1e-9)


def test_steps_at_the_start_reach_from_one_token_to_a_hundred():
    offset = mamba._steps(12, torch.zeros(1))
    step = torch.nn.functional.softplus(offset)
    torch.testing.assert_close(step, torch.logspace(-2, 0, 12), rtol=1e-5, atol=0)


def test_chunks_waste_little_and_stay_near_the_square_root():
    for tokens in range(1, 2000):
        size = _chunk(tokens)
        chunks = -(-tokens // size)
        assert tokens <= size * chunks <= tokens * 1.2
        assert size + chunks <= 3.2 * tokens**0.5 + 1
