"""Mamba: selective state spaces over patch tokens (Gu and Dao 2023)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, layer_norm, linear, residual
from spectrosim_search.learning.layers_scan import selective_scan
from spectrosim_search.learning.layers_transformer import (
    branch_scale,
    embed_patches,
    patch_embedding,
    place,
    pool,
    pooling,
    positions,
    token_count,
)
from spectrosim_search.learning.parameters import Parameter, bias, gain, weight

__all__ = ["BF16_WIDTH", "Settings", "forward", "outputs", "parameters"]

_FASTEST, _SLOWEST = 1.0, 0.01  # steps at the start: a channel remembers from one token to about a hundred

BF16_WIDTH = 128  # bfloat16 on a CPU: 1.25 x at width 128, none at 32: the scan runs in float32 (measured)


@dataclass(frozen=True)
class Settings:
    """Settings of the Mamba encoder."""

    patch: int = field(40, "neighbouring channels in a token", unit="channels", low=1, high=4096, shapes=True)
    width: int = field(32, "features of a token", low=2, high=4096, shapes=True)
    depth: int = field(2, "Mamba blocks", low=1, high=64, shapes=True)
    expansion: float = field(2.0, "channels of the state space over the token width", low=0.5, high=8, shapes=True)
    states: int = field(8, "states of a channel", low=1, high=256, shapes=True)
    convolution: int = field(
        4,
        "tokens the convolution before the state space reads, this one and those before",
        unit="tokens",
        low=1,
        high=16,
        shapes=True,
    )
    direction: Literal["alternate", "forward"] = field(
        "alternate", "which way the axis is read: up and down by turns from block to block, or always up", shapes=True
    )
    dropout: float = field(0.1, "share of features dropped after each block", low=0.0, high=0.9)
    pool: Literal["mean", "attention"] = field("mean", "how tokens become one embedding", shapes=True)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)
    position: Literal["axis", "learned"] = field(
        "axis", "axis: waves over the axis value of the patch centre; learned: a free vector a token", shapes=True
    )


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def _sizes(settings: Settings) -> tuple[int, int]:
    """Return the channels of the state space and the rank of their steps (Gu and Dao 2023, section 3.6)."""
    return max(1, round(settings.width * settings.expansion)), math.ceil(settings.width / 16)


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    width, states, (inner, rank) = settings.width, settings.states, _sizes(settings)
    out = patch_embedding(settings.patch, width)
    out |= positions(settings.position, token_count(length, settings.patch), width)
    for block in range(settings.depth):
        name = f"block{block}."
        out |= {
            name + "norm.gain": gain(width),
            name + "norm.bias": bias(width),
            name + "enter.weight": weight(width, 2 * inner),
            name + "convolution.weight": weight(settings.convolution, inner),
            name + "convolution.bias": bias(inner),
            name + "select.weight": weight(inner, rank + 2 * states),
            name + "step.weight": weight(rank, inner),
            name + "step.bias": bias(inner),
            name + "rate.log": Parameter((states, inner), "constant", 0.0, decay=False),
            name + "skip.gain": gain(inner),
            name + "leave.weight": weight(inner, width, scale=branch_scale(settings.depth) * math.sqrt(2)),
        }
    out |= pooling(settings.pool, width)
    return out | {"out.weight": weight(width, settings.out), "out.bias": bias(settings.out)}


def _steps(inner: int, like: Tensor) -> Tensor:
    """Return what makes the steps of channels at the start lie evenly on a log scale: ``(inner,)`` before softplus."""
    step = torch.logspace(math.log10(_SLOWEST), math.log10(_FASTEST), inner, dtype=torch.float64, device=like.device)
    return (step + torch.log(-torch.expm1(-step))).to(like.dtype)


def _convolve(x: Tensor, weights: Tensor, shift: Tensor) -> Tensor:
    """Each channel of x ``(R, M, T, E)`` with its own causal filter ``(R, C, E)``, plus shift ``(R, E)``."""
    tokens, reach = x.shape[2], weights.shape[1]
    padded = F.pad(x, (0, 0, reach - 1, 0))
    taps = weights[:, :, None, None]
    out = torch.addcmul(shift[:, None, None], x, taps[:, -1])
    for tap in range(reach - 1):
        out = torch.addcmul(out, padded[:, :, tap : tap + tokens], taps[:, tap])
    return out


def _mix(settings: Settings, p: Mapping[str, Tensor], h: Tensor, context: Context, name: str) -> Tensor:
    """Return a block's branch for normalised tokens h ``(R, M, T, D)``.

    The state space computes in float32 at least: products of many decays lose their meaning in bfloat16. Its constants
    (rates -1 to -N as in S4D-real, steps even on a log scale) are fixed; what is learned starts at their side as zero.
    """
    inner, rank = _sizes(settings)
    exact = torch.promote_types(h.dtype, torch.float32)
    x, gate = linear(h, p[name + "enter.weight"]).chunk(2, dim=-1)
    x = F.silu(_convolve(x, p[name + "convolution.weight"], p[name + "convolution.bias"]))
    chosen = linear(x, p[name + "select.weight"])
    offset = context.constant(f"steps {inner} {exact}", lambda: _steps(inner, h.new_zeros(1, dtype=exact)))
    step = linear(chosen[..., :rank], p[name + "step.weight"], p[name + "step.bias"]).to(exact)
    rates = torch.arange(1, settings.states + 1, dtype=exact, device=h.device)
    y = selective_scan(
        x.to(exact),
        F.softplus(step + offset),
        -rates.unsqueeze(1) * torch.exp(p[name + "rate.log"].to(exact)),
        chosen[..., rank : rank + settings.states].to(exact),
        chosen[..., rank + settings.states :].to(exact),
    ).to(h.dtype)
    y = torch.addcmul(y, x, p[name + "skip.gain"][:, None, None])
    return linear(y * F.silu(gate), p[name + "leave.weight"])


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``."""
    h = place(p, embed_patches(p, x, settings.patch), settings.position, settings.patch, context)
    masks = context.masks(settings.depth, h)
    for block in range(settings.depth):
        name = f"block{block}."
        backwards = settings.direction == "alternate" and block % 2 == 1
        y = layer_norm(h, p[name + "norm.gain"], p[name + "norm.bias"])
        y = _mix(settings, p, y.flip(2) if backwards else y, context, name)
        h = residual(h, y.flip(2) if backwards else y, masks[block])
    return linear(pool(p, context.show(h), settings.pool), p["out.weight"], p["out.bias"])
