"""Convolutions, then attention: the hybrid the papers wish for.

Overlapping convolutions find local shapes and shorten the spectrum to tokens (Xiao et al. 2021: early convolutions make
Transformers easier to train); the blocks of the patch Transformer relate them across the whole axis.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, linear
from spectrosim_search.learning.layers_convolution import (
    activated,
    convolution,
    convolve,
    normalisation,
    start,
    stem,
)
from spectrosim_search.learning.layers_transformer import (
    attend,
    attention_half,
    branch_scale,
    feed_forward,
    feed_forward_half,
    head_problems,
    pool,
    pooling,
)
from spectrosim_search.learning.parameters import Parameter, bias, weight

__all__ = ["Settings", "check", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of the convolutional Transformer."""

    stem_kernel: int = field(15, "channels the first convolution sees", unit="channels", low=1, high=4096, shapes=True)
    stem_stride: int = field(
        8, "channels the first convolution moves by", unit="channels", low=1, high=4096, shapes=True
    )
    stages: int = field(1, "convolutions behind the first", low=1, high=16, shapes=True)
    kernel: int = field(5, "places a later convolution sees", low=1, high=255, shapes=True)
    stride: int = field(4, "by what factor each later convolution shortens", low=1, high=64, shapes=True)
    width: int = field(64, "features of every convolution, and of a token", low=4, high=4096, shapes=True)
    depth: int = field(2, "attention blocks", low=1, high=64, shapes=True)
    heads: int = field(4, "attention heads; divides the width", low=1, high=64, shapes=True)
    expansion: float = field(
        2.0, "width of the feed-forward layer over the token width", low=0.25, high=16, shapes=True
    )
    dropout: float = field(0.1, "share of features dropped after each half block", low=0.0, high=0.9)
    pool: Literal["mean", "attention"] = field("mean", "how tokens become one embedding", shapes=True)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)
    position: Literal["axis", "learned"] = field(
        "axis", "axis: waves over the axis value of a place; learned: a free vector a place", shapes=True
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
    width, scale = settings.width, branch_scale(settings.depth)
    out = stem(settings.position, length, width, settings.stem_kernel, settings.stem_stride)
    for stage in range(settings.stages):
        name = f"stage{stage}."
        out |= convolution(width, width, settings.kernel, name) | normalisation(width, name)
    for block in range(settings.depth):
        name = f"block{block}."
        out |= attention_half(width, scale, name)
        out |= feed_forward_half(width, max(1, round(width * settings.expansion)), scale, name)
    out |= pooling(settings.pool, width)
    return out | {"out.weight": weight(width, settings.out), "out.bias": bias(settings.out)}


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``; places are marked once, before the convolutions mix them."""
    h = start(p, x, settings.position, settings.stem_stride, context)
    for stage in range(settings.stages):
        name = f"stage{stage}."
        h = activated(p, convolve(h, p[name + "weight"], settings.stride), name)
    masks = context.masks(2 * settings.depth, h)
    for block in range(settings.depth):
        name = f"block{block}."
        h = attend(p, h, settings.heads, masks[2 * block], name)
        h = feed_forward(p, h, masks[2 * block + 1], name)
    return linear(pool(p, context.show(h), settings.pool), p["out.weight"], p["out.bias"])
