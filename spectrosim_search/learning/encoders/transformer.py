"""Patch Transformer: a spectrum read as tokens of neighbouring channels."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, attention, layer_norm, linear, residual
from spectrosim_search.learning.parameters import Parameter, bias, gain, table, weight

__all__ = ["Settings", "check", "forward", "outputs", "parameters"]

_FREQUENCIES = 16  # sines and cosines from half a turn over the whole axis up to one turn every other token


@dataclass(frozen=True)
class Settings:
    """Settings of the patch Transformer."""

    patch: int = field(32, "neighbouring channels in a token", unit="channels", low=1, high=4096, shapes=True)
    width: int = field(64, "features of a token", low=4, high=4096, shapes=True)
    depth: int = field(2, "attention blocks", low=1, high=64, shapes=True)
    heads: int = field(4, "attention heads; divides the width", low=1, high=64, shapes=True)
    expansion: float = field(
        2.0, "width of the feed-forward layer over the token width", low=0.25, high=16, shapes=True
    )
    dropout: float = field(0.1, "share of features dropped after each half block", low=0.0, high=0.9)
    pool: Literal["mean", "attention"] = field("mean", "how tokens become one embedding", shapes=True)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)
    position: Literal["axis", "learned"] = field(
        "axis", "axis: waves over the axis value of the patch centre; learned: a free vector a token", shapes=True
    )


def check(settings: Settings) -> list[str]:
    """Return what contradicts itself."""
    if settings.width % settings.heads:
        return [f"width {settings.width} is not a multiple of heads {settings.heads}"]
    return []


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def _tokens(settings: Settings, length: int) -> int:
    return math.ceil(length / settings.patch)


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels. Raises ConfigurationError on contradictory settings."""
    if problems := check(settings):
        raise ConfigurationError(problems)
    width, hidden = settings.width, max(1, round(settings.width * settings.expansion))
    out = {"patch.weight": weight(settings.patch, width), "patch.bias": bias(width)}
    if settings.position == "axis":
        out["position.weight"] = weight(2 * _FREQUENCIES, 2 * width, scale=0.5)
        out["position.bias"] = bias(2 * width)
    else:
        out["position.table"] = table(_tokens(settings, length), 2 * width, scale=0.5)
    for block in range(settings.depth):
        name = f"block{block}."
        depth_scale = 1 / math.sqrt(2 * settings.depth)  # keeps the residual stream's variance near one at the start
        out |= {
            name + "norm1.gain": gain(width),
            name + "norm1.bias": bias(width),
            name + "attention.weight": weight(width, 3 * width),
            name + "attention.bias": bias(3 * width),
            name + "mix.weight": weight(width, width, scale=depth_scale),
            name + "mix.bias": bias(width),
            name + "norm2.gain": gain(width),
            name + "norm2.bias": bias(width),
            name + "expand.weight": weight(width, hidden),
            name + "expand.bias": bias(hidden),
            name + "shrink.weight": weight(hidden, width, scale=depth_scale),
            name + "shrink.bias": bias(width),
        }
    out |= {"norm.gain": gain(width), "norm.bias": bias(width)}
    if settings.pool == "attention":
        out["pool.query"] = weight(width, 1)
    return out | {"out.weight": weight(width, settings.out), "out.bias": bias(settings.out)}


def _waves(axis: Tensor, patch: int, tokens: int) -> Tensor:
    """Return sines and cosines of each patch centre's axis value: axis ``(R, L)`` → ``(R, T, 2 F)``.

    The value is taken relative to the two ends of the axis: uneven axes keep their spacing, units do not matter.
    """
    length = axis.shape[1]
    first = torch.arange(tokens, device=axis.device) * patch
    last = (first + patch - 1).clamp(max=length - 1)
    low, high = axis[:, :1], axis[:, -1:]
    place = ((axis[:, first] + axis[:, last]) / 2 - low) / (high - low).abs().clamp(min=1e-12)
    turns = torch.logspace(-1, math.log2(max(tokens, 2)) - 1, _FREQUENCIES, base=2.0, dtype=axis.dtype)
    angle = 2 * math.pi * place.unsqueeze(-1) * turns.to(axis.device)
    return torch.cat([angle.sin(), angle.cos()], dim=-1) * math.sqrt(2)


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``.

    A token is its patch projected, scaled and shifted by its position: the same peak shape then means something
    different at another m/z from the first layer on, with far fewer weights than a projection per position.
    Blocks are pre-norm (Xiong et al. 2020); dropout acts on both residual branches.
    """
    replicates, rows, length = x.shape
    tokens = _tokens(settings, length)
    if tokens * settings.patch > length:
        x = F.pad(x, (0, tokens * settings.patch - length))
    h = linear(x.reshape(replicates, rows, tokens, settings.patch), p["patch.weight"], p["patch.bias"])
    if settings.position == "axis":
        waves = context.constant("waves", lambda: _waves(context.axis, settings.patch, tokens).to(h.dtype))
        place = linear(waves, p["position.weight"], p["position.bias"])
    else:
        place = p["position.table"]
    scale, shift = place.unsqueeze(1).chunk(2, dim=-1)
    h = torch.addcmul(shift, h, 1 + scale)
    masks = context.masks(2 * settings.depth, h)
    for block in range(settings.depth):
        name = f"block{block}."
        y = layer_norm(h, p[name + "norm1.gain"], p[name + "norm1.bias"])
        y = attention(linear(y, p[name + "attention.weight"], p[name + "attention.bias"]), settings.heads)
        h = residual(h, linear(y, p[name + "mix.weight"], p[name + "mix.bias"]), masks[2 * block])
        y = layer_norm(h, p[name + "norm2.gain"], p[name + "norm2.bias"])
        y = F.gelu(linear(y, p[name + "expand.weight"], p[name + "expand.bias"]))
        h = residual(h, linear(y, p[name + "shrink.weight"], p[name + "shrink.bias"]), masks[2 * block + 1])
    h = layer_norm(h, p["norm.gain"], p["norm.bias"])
    if settings.pool == "attention":
        share = torch.softmax(linear(h, p["pool.query"]), dim=2)
        pooled = (h * share).sum(dim=2)
    else:
        pooled = h.mean(dim=2)
    return linear(pooled, p["out.weight"], p["out.bias"])
