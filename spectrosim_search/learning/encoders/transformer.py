"""Patch Transformer: a spectrum read as tokens of neighbouring channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, linear
from spectrosim_search.learning.layers_transformer import (
    attend,
    attention_half,
    branch_scale,
    embed_patches,
    feed_forward,
    feed_forward_half,
    head_problems,
    patch_embedding,
    place,
    pool,
    pooling,
    positions,
    token_count,
)
from spectrosim_search.learning.parameters import Parameter, bias, weight

__all__ = ["Settings", "check", "forward", "outputs", "parameters"]


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
    return head_problems(settings.width, settings.heads)


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels. Raises ConfigurationError on contradictory settings."""
    if problems := check(settings):
        raise ConfigurationError(problems)
    width, hidden = settings.width, max(1, round(settings.width * settings.expansion))
    out = patch_embedding(settings.patch, width)
    out |= positions(settings.position, token_count(length, settings.patch), width)
    scale = branch_scale(settings.depth)
    for block in range(settings.depth):
        name = f"block{block}."
        out |= attention_half(width, scale, name) | feed_forward_half(width, hidden, scale, name)
    out |= pooling(settings.pool, width)
    return out | {"out.weight": weight(width, settings.out), "out.bias": bias(settings.out)}


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``; dropout acts on both residual branches of a block."""
    h = place(p, embed_patches(p, x, settings.patch), settings.position, settings.patch, context)
    masks = context.masks(2 * settings.depth, h)
    for block in range(settings.depth):
        h = attend(p, h, settings.heads, masks[2 * block], f"block{block}.")
        h = feed_forward(p, h, masks[2 * block + 1], f"block{block}.")
    return linear(pool(p, context.show(h), settings.pool), p["out.weight"], p["out.bias"])
