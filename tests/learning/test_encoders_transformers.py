"""Mixture-of-experts and ensemble Transformers against token-by-token twins and against the plain Transformer."""

from __future__ import annotations

import math

import pytest
import torch

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.encoders import ensemble_transformer, moe_transformer, transformer
from spectrosim_search.learning.layers import ENCODER_USES, Context
from spectrosim_search.learning.layers_experts import gates, imbalance, mix_experts
from spectrosim_search.learning.layers_transformer import patches
from spectrosim_search.learning.randomness import Stream
from tests.learning.test_families import normals, tensors

F64 = torch.float64


def context(values: dict[str, float] | None = None, *, train: bool = False, length: int = 70) -> Context:
    axis = torch.linspace(77, 999, length, dtype=F64).expand(2, -1)
    held = {n: torch.full((2,), v, dtype=F64) for n, v in (values or {}).items()}
    return Context(axis, held, Stream.of_seeds([0, 1], 3) if train else None)


def slow_mixture(p, h, active):
    """Every token sent to its experts one by one."""
    out = h.clone()
    replicates, rows, tokens, _ = h.shape
    for r in range(replicates):
        norm = torch.nn.functional.layer_norm(h[r], h.shape[-1:], p["b.norm2.gain"][r], p["b.norm2.bias"][r])
        experts = p["b.gate.weight"].shape[-1]
        hidden = p["b.expand.bias"].shape[-1] // experts
        for m in range(rows):
            for t in range(tokens):
                y = norm[m, t]
                logits = y @ p["b.gate.weight"][r]
                share = logits.exp() / logits.exp().sum()
                chosen = logits.argsort(descending=True)[:active].tolist()
                total = sum(float(share[e]) for e in chosen) if active > 1 else 1.0
                for e in chosen:
                    own = slice(e * hidden, (e + 1) * hidden)
                    inner = y @ p["b.expand.weight"][r][:, own] + p["b.expand.bias"][r][own]
                    inner = 0.5 * inner * (1 + torch.erf(inner / math.sqrt(2)))
                    answer = inner @ p["b.shrink.weight"][r][own] + p["b.shrink.bias"][r][e]
                    out[r, m, t] += share[e] / total * answer
    return out


def block_tensors(experts: int):
    settings = moe_transformer.Settings(patch=16, width=8, heads=2, experts=experts)
    declared = moe_transformer.parameters(settings, 70)
    names = [n for n in declared if n.startswith("block0.") and "norm1" not in n and "attention" not in n]
    leaves = tensors(declared, 2, F64)
    return {"b." + n.removeprefix("block0."): leaves[n] for n in names}


@pytest.mark.parametrize("active", [1, 2, 3, 5, 9])
def test_mixture_of_experts_token_by_token(active):
    p = {n: v.detach() for n, v in block_tensors(experts=5).items()}
    h = normals(2, 3, 4, 8, dtype=F64)
    fast, uneven = mix_experts(p, h, active, None, context(), "b.")
    assert uneven is None
    torch.testing.assert_close(fast, slow_mixture(p, h, active), atol=1e-9, rtol=0)


def test_gates():
    logits = torch.tensor([[2.0, 1.0, 0.0, -1.0]], dtype=F64)
    soft, full = gates(logits, 4)
    assert torch.equal(soft, full)
    torch.testing.assert_close(soft, torch.softmax(logits, -1))
    two, _ = gates(logits, 2)
    assert (two[0, 2:] == 0).all()
    assert float(two.sum()) == pytest.approx(1)
    assert float(two[0, 0] / two[0, 1]) == pytest.approx(math.e)
    one, _ = gates(logits, 1)
    assert one[0].tolist() == pytest.approx([float(full[0, 0]), 0, 0, 0])


@pytest.mark.parametrize("active", [1, 2, 4])
def test_imbalance_is_zero_when_even_and_full_when_one_takes_all(active):
    even = torch.full((2, 8, 4), -30.0, dtype=F64)
    for token in range(8):
        for e in range(active):
            even[:, token, (token + e) % 4] = 0.0
    torch.testing.assert_close(imbalance(*gates(even, active), active), torch.zeros(2, dtype=F64), atol=1e-9, rtol=0)
    one = torch.full((2, 8, 4), -30.0, dtype=F64)
    one[..., 2] = 30.0
    expected = 3.0 if active in (1, 4) else 4 * 0.5 - 1  # with two experts a token, the second is given half the places
    torch.testing.assert_close(imbalance(*gates(one, active), active), torch.full((2,), expected, dtype=F64))


@pytest.mark.parametrize("active", [1, 2, 4])
def test_descending_the_imbalance_evens_out_the_experts(active):
    tokens = normals(1, 200, 6, dtype=F64)
    gate = (0.3 * normals(1, 6, 4, dtype=F64, seed=1)).requires_grad_()
    shift = torch.tensor([1.5, 0.0, 0.0, -1.0], dtype=F64, requires_grad=True)
    seen = []
    for _ in range(150):
        value = imbalance(*gates(tokens @ gate + shift, active), active)
        seen.append(float(value.detach()))
        grads = torch.autograd.grad(value.sum(), [gate, shift])
        with torch.no_grad():
            for tensor, g in zip((gate, shift), grads):
                tensor -= 0.3 * g
    assert seen[-1] < 0.1 * seen[0]


def test_penalty_follows_its_weight_a_replicate():
    settings = moe_transformer.Settings(patch=16, width=8, heads=2, active=2)
    leaves = tensors(moe_transformer.parameters(settings, 70), 2, F64)
    x = normals(1, 5, 70, dtype=F64).expand(2, -1, -1)
    plain = context({"balance": 1.0, "dropout": 0.0}, train=True)
    halved = context({"balance": 1.0, "dropout": 0.0}, train=True)
    halved.values["balance"][1] = 0.5
    for c in (plain, halved):
        moe_transformer.forward(settings, leaves, x, c)
        assert len(c.penalties) == settings.depth
    for a, b in zip(plain.penalties, halved.penalties):
        assert (a > 0).all()
        torch.testing.assert_close(b, a * torch.tensor([1.0, 0.5], dtype=F64))


def test_equal_experts_are_the_plain_transformer():
    settings = moe_transformer.Settings(patch=16, width=8, heads=2, experts=3, active=3, expansion=2.0)
    plain = transformer.Settings(patch=16, width=8, heads=2)
    p = tensors(transformer.parameters(plain, 70), 2, F64)
    q = tensors(moe_transformer.parameters(settings, 70), 2, F64)
    for name in q:
        if name in p and p[name].shape == q[name].shape:
            q[name] = p[name]
        elif "gate" not in name:
            dimension = {"expand.weight": 2, "expand.bias": 1, "shrink.weight": 1}.get(name.partition(".")[2])
            q[name] = torch.cat([p[name]] * 3, dimension) if dimension else torch.stack([p[name]] * 3, 1)
    x = normals(2, 4, 70, dtype=F64)
    torch.testing.assert_close(
        moe_transformer.forward(settings, q, x, context()), transformer.forward(plain, p, x, context())
    )


def test_an_ensemble_of_one_is_the_plain_transformer():
    settings = ensemble_transformer.Settings(patch=16, members=1, width=8, heads=2)
    plain = transformer.Settings(patch=16, width=8, heads=2)
    p = tensors(transformer.parameters(plain, 70), 2, F64)
    q = {n if n.startswith("out.") else "member0." + n: v for n, v in p.items()}
    assert set(q) == set(ensemble_transformer.parameters(settings, 70))
    x = normals(2, 4, 70, dtype=F64)
    for train in (False, True):
        both = [
            module.forward(s, tensors_, x, context({"dropout": 0.2}, train=train))
            for module, s, tensors_ in ((ensemble_transformer, settings, q), (transformer, plain, p))
        ]
        assert torch.equal(*both)


def test_members_of_an_ensemble_are_transformers_of_doubling_patches():
    settings = ensemble_transformer.Settings(patch=8, members=3, width=8, heads=2, out=5)
    q = tensors(ensemble_transformer.parameters(settings, 70), 2, F64)
    x = normals(2, 4, 70, dtype=F64)
    total = q["out.bias"].unsqueeze(1)
    for member, patch in enumerate((8, 16, 32)):
        name = f"member{member}."
        plain = transformer.Settings(patch=patch, width=8, heads=2, out=5)
        p = {n.removeprefix(name): v for n, v in q.items() if n.startswith(name)}
        p["out.weight"] = q["out.weight"][:, member * 8 : (member + 1) * 8]
        p["out.bias"] = torch.zeros_like(q["out.bias"])
        total = total + transformer.forward(plain, p, x, context())
    torch.testing.assert_close(ensemble_transformer.forward(settings, q, x, context()), total, atol=1e-9, rtol=0)


def test_patches_cover_all_channels_and_pad_with_zeros():
    x = normals(2, 3, 70)
    cut = patches(x, 16)
    assert cut.shape == (2, 3, 5, 16)
    assert torch.equal(cut.flatten(2)[..., :70], x)
    assert (cut.flatten(2)[..., 70:] == 0).all()
    assert patches(x[..., :64], 16).shape == (2, 3, 4, 16)


@pytest.mark.parametrize("kind", ["moe-transformer", "ensemble-transformer"])
def test_heads_divide_the_width(kind):
    with pytest.raises(ConfigurationError, match="multiple of heads 3"):
        resolve("encoders", {"type": kind, "heads": 3, "width": 32})
    module = moe_transformer if kind == "moe-transformer" else ensemble_transformer
    with pytest.raises(ConfigurationError, match="multiple of heads 3"):
        module.parameters(module.Settings(heads=3, width=32), 70)


def test_every_block_of_an_ensemble_has_dropout_of_its_own():
    """An encoder has so many uses of a step's randomness; beyond them masks would repeat, or there would be none."""
    with pytest.raises(ConfigurationError, match="8 members of depth 11 are 88 blocks, at most 80"):
        resolve("encoders", {"type": "ensemble-transformer", "members": 8, "depth": 11})
    most = {"patch": 4, "members": 8, "depth": 10, "width": 4, "heads": 1, "out": 2}
    settings = ensemble_transformer.Settings(**dict(resolve("encoders", {"type": "ensemble-transformer", **most})))
    p = tensors(ensemble_transformer.parameters(settings, 6), 2, F64)
    drawn = context({"dropout": 0.2}, train=True, length=6)
    assert ensemble_transformer.forward(settings, p, normals(2, 2, 6, dtype=F64), drawn).isfinite().all()
    assert drawn.use == ENCODER_USES
