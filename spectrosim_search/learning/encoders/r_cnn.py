"""Recurrent convolutional network: convolutions shorten the spectrum to tokens, a recurrent layer reads them in order.

The papers name an R-CNN without describing its layers; this is the usual reading: local shapes by convolution, what
follows what along the axis by recurrence in both directions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

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
from spectrosim_search.learning.layers_recurrent import recur, recurrence
from spectrosim_search.learning.layers_transformer import pool, pooling
from spectrosim_search.learning.parameters import Parameter, bias, weight

__all__ = ["FUSED_ALONE", "Settings", "forward", "outputs", "parameters"]

FUSED_ALONE = True  # torch's own LSTM


@dataclass(frozen=True)
class Settings:
    """Settings of the recurrent convolutional network."""

    width: int = field(64, "features of every convolution, and of a token", low=1, high=4096, shapes=True)
    stem_kernel: int = field(15, "channels the first convolution sees", unit="channels", low=1, high=4096, shapes=True)
    stem_stride: int = field(
        8, "channels the first convolution moves by", unit="channels", low=1, high=4096, shapes=True
    )
    stages: int = field(1, "convolutions behind the first", low=1, high=16, shapes=True)
    kernel: int = field(5, "places a later convolution sees", low=1, high=255, shapes=True)
    stride: int = field(4, "by what factor each later convolution shortens", low=1, high=64, shapes=True)
    cell: Literal["lstm", "gru"] = field("lstm", "kind of recurrent layer", shapes=True)
    hidden: int = field(32, "features of a recurrent state, in each direction", low=1, high=4096, shapes=True)
    depth: int = field(1, "recurrent layers", low=1, high=16, shapes=True)
    dropout: float = field(0.1, "share of features dropped behind each recurrent layer", low=0.0, high=0.9)
    pool: Literal["mean", "attention"] = field("mean", "how tokens become one embedding", shapes=True)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)
    position: Literal["axis", "learned"] = field(
        "axis", "axis: waves over the axis value of a place; learned: a free vector a place", shapes=True
    )


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    width, both = settings.width, 2 * settings.hidden
    out = stem(settings.position, length, width, settings.stem_kernel, settings.stem_stride)
    for stage in range(settings.stages):
        name = f"stage{stage}."
        out |= convolution(width, width, settings.kernel, name) | normalisation(width, name)
    for layer in range(settings.depth):
        out |= recurrence(settings.cell, both if layer else width, settings.hidden, 2, f"layer{layer}.")
    return (
        out | pooling(settings.pool, both) | {"out.weight": weight(both, settings.out), "out.bias": bias(settings.out)}
    )


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``."""
    h = start(p, x, settings.position, settings.stem_stride, context)
    for stage in range(settings.stages):
        name = f"stage{stage}."
        h = activated(p, convolve(h, p[name + "weight"], settings.stride), name)
    for layer in range(settings.depth):
        h = context.dropout(recur(p, h, settings.cell, f"layer{layer}."))
    return linear(pool(p, context.show(h), settings.pool), p["out.weight"], p["out.bias"])
