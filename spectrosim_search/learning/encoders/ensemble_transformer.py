"""Patch Transformers of several scales side by side, their embeddings joined.

A member reads tokens twice as wide as the member before: narrow ones tell peaks apart, wide ones see patterns of many.
The papers' ensemble joins whole Transformers too, of 247 million parameters together (SpectroSim chapter, cost table).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import ENCODER_USES, Context, linear
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
    """Settings of the ensemble Transformer."""

    patch: int = field(
        32,
        "channels in a token of the finest member; each next member doubles it",
        unit="channels",
        low=1,
        high=4096,
        shapes=True,
    )
    members: int = field(3, "Transformers side by side", low=1, high=8, shapes=True)
    width: int = field(32, "features of a token", low=4, high=4096, shapes=True)
    depth: int = field(2, "attention blocks of a member", low=1, high=64, shapes=True)
    heads: int = field(2, "attention heads; divides the width", low=1, high=64, shapes=True)
    expansion: float = field(
        2.0, "width of the feed-forward layer over the token width", low=0.25, high=16, shapes=True
    )
    dropout: float = field(0.1, "share of features dropped after each half block", low=0.0, high=0.9)
    pool: Literal["mean", "attention"] = field("mean", "how a member's tokens become one vector", shapes=True)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)
    position: Literal["axis", "learned"] = field(
        "axis", "axis: waves over the axis value of the patch centre; learned: a free vector a token", shapes=True
    )


def check(settings: Settings) -> list[str]:
    """Return what contradicts itself."""
    problems = head_problems(settings.width, settings.heads)
    blocks, most = settings.members * settings.depth, ENCODER_USES // 2  # each block has two dropout masks
    if blocks > most:
        of = f"{settings.members} members of depth {settings.depth} are {blocks} blocks"
        problems.append(f"{of}, at most {most} have dropout of their own")
    return problems


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def _patches(settings: Settings) -> list[int]:
    return [settings.patch * 2**member for member in range(settings.members)]


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels. Raises ConfigurationError on contradictory settings."""
    if problems := check(settings):
        raise ConfigurationError(problems)
    width, hidden = settings.width, max(1, round(settings.width * settings.expansion))
    scale = branch_scale(settings.depth)
    out: dict[str, Parameter] = {}
    for member, patch in enumerate(_patches(settings)):
        name = f"member{member}."
        out |= patch_embedding(patch, width, name)
        out |= positions(settings.position, token_count(length, patch), width, name)
        for block in range(settings.depth):
            inner = f"{name}block{block}."
            out |= attention_half(width, scale, inner) | feed_forward_half(width, hidden, scale, inner)
        out |= pooling(settings.pool, width, name)
    return out | {"out.weight": weight(settings.members * width, settings.out), "out.bias": bias(settings.out)}


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``: one linear map of all members' pooled tokens."""
    pooled = []
    for member, patch in enumerate(_patches(settings)):
        name = f"member{member}."
        h = place(p, embed_patches(p, x, patch, name), settings.position, patch, context, name)
        masks = context.masks(2 * settings.depth, h)
        for block in range(settings.depth):
            h = attend(p, h, settings.heads, masks[2 * block], f"{name}block{block}.")
            h = feed_forward(p, h, masks[2 * block + 1], f"{name}block{block}.")
        pooled.append(pool(p, context.show(h), settings.pool, name))
    return linear(torch.cat(pooled, dim=-1), p["out.weight"], p["out.bias"])
