"""LSTM over tokens of neighbouring channels (Hochreiter and Schmidhuber 1997).

Read channel by channel a spectrum is 2,080 steps of one number; in patches it is some 65 steps that each see a shape.
The papers' size, 4 layers of 128, is ``hidden 128, depth 4``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, layer_norm, linear
from spectrosim_search.learning.layers_recurrent import recur, recurrence
from spectrosim_search.learning.layers_transformer import (
    embed_patches,
    patch_embedding,
    place,
    positions,
    token_count,
)
from spectrosim_search.learning.parameters import Parameter, bias, gain, weight

__all__ = ["FUSED_ALONE", "Settings", "forward", "outputs", "parameters"]

FUSED_ALONE = True  # torch's own LSTM


@dataclass(frozen=True)
class Settings:
    """Settings of the LSTM."""

    patch: int = field(32, "neighbouring channels in a token", unit="channels", low=1, high=4096, shapes=True)
    width: int = field(64, "features of a token", low=1, high=4096, shapes=True)
    hidden: int = field(32, "features of a state, in each direction", low=1, high=4096, shapes=True)
    depth: int = field(1, "recurrent layers", low=1, high=16, shapes=True)
    directions: Literal["both", "forward"] = field("both", "in which order tokens are read", shapes=True)
    dropout: float = field(0.1, "share of features dropped behind each layer", low=0.0, high=0.9)
    pool: Literal["mean", "last"] = field(
        "mean", "mean of all states, or the state in which each direction ends", shapes=True
    )
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)
    position: Literal["axis", "learned"] = field(
        "axis", "axis: waves over the axis value of the patch centre; learned: a free vector a token", shapes=True
    )


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def _directions(settings: Settings) -> int:
    return 2 if settings.directions == "both" else 1


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    directions = _directions(settings)
    states = directions * settings.hidden
    out = patch_embedding(settings.patch, settings.width)
    out |= positions(settings.position, token_count(length, settings.patch), settings.width)
    for layer in range(settings.depth):
        inputs = states if layer else settings.width
        out |= recurrence("lstm", inputs, settings.hidden, directions, f"layer{layer}.")
    out |= {"norm.gain": gain(states), "norm.bias": bias(states)}
    return out | {"out.weight": weight(states, settings.out), "out.bias": bias(settings.out)}


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``."""
    h = place(p, embed_patches(p, x, settings.patch), settings.position, settings.patch, context)
    for layer in range(settings.depth):
        h = context.dropout(recur(p, h, "lstm", f"layer{layer}."))
    if settings.pool == "mean":
        pooled = context.show(h).mean(dim=2)
    else:
        ends = [h[:, :, -1, : settings.hidden], h[:, :, 0, settings.hidden :]]
        pooled = torch.cat(ends[: _directions(settings)], dim=-1)
    return linear(layer_norm(pooled, p["norm.gain"], p["norm.bias"]), p["out.weight"], p["out.bias"])
