"""The papers' Transformer: the whole spectrum is one token of width 2,080.

Attention over one token is the identity on its values: the softmax of a single score is 1, so queries and keys have no
influence and would never receive a gradient. They are therefore left out, and with them the number of heads. The
published size, 105.5 M parameters (SpectroSim chapter, cost table), is kept by a feed-forward layer of twice the width:
6 width² a block (values 1, mixing 1, feed-forward 4), four blocks, 104 M at 2,080 channels.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, layer_norm, linear, residual
from spectrosim_search.learning.parameters import Parameter, bias, gain, weight

__all__ = ["Settings", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of the one-token Transformer."""

    width: int = field(
        2080, "features of the token; other than the channels: projected first", low=4, high=8192, shapes=True
    )
    depth: int = field(4, "blocks", low=1, high=64, shapes=True)
    expansion: float = field(
        2.0, "width of the feed-forward layer over the token width", low=0.25, high=16, shapes=True
    )
    dropout: float = field(0.2, "share of features dropped after each half block", low=0.0, high=0.9)
    out: int = field(128, "size of the embedding", low=2, high=4096, shapes=True)


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    width, hidden = settings.width, max(1, round(settings.width * settings.expansion))
    out: dict[str, Parameter] = {}
    if length != width:
        out = {"token.weight": weight(length, width), "token.bias": bias(width)}
    branch = 1 / math.sqrt(2 * settings.depth)
    for block in range(settings.depth):
        name = f"block{block}."
        out |= {
            name + "norm1.gain": gain(width),
            name + "norm1.bias": bias(width),
            name + "value.weight": weight(width, width),
            name + "value.bias": bias(width),
            name + "mix.weight": weight(width, width, scale=branch),
            name + "mix.bias": bias(width),
            name + "norm2.gain": gain(width),
            name + "norm2.bias": bias(width),
            name + "expand.weight": weight(width, hidden),
            name + "expand.bias": bias(hidden),
            name + "shrink.weight": weight(hidden, width, scale=branch),
            name + "shrink.bias": bias(width),
        }
    return out | {
        "norm.gain": gain(width),
        "norm.bias": bias(width),
        "out.weight": weight(width, settings.out),
        "out.bias": bias(settings.out),
    }


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``."""
    h = linear(x, p["token.weight"], p["token.bias"]) if "token.weight" in p else x
    masks = context.masks(2 * settings.depth, h)
    for block in range(settings.depth):
        name = f"block{block}."
        y = layer_norm(h, p[name + "norm1.gain"], p[name + "norm1.bias"])
        y = linear(y, p[name + "value.weight"], p[name + "value.bias"])
        h = residual(h, linear(y, p[name + "mix.weight"], p[name + "mix.bias"]), masks[2 * block])
        y = layer_norm(h, p[name + "norm2.gain"], p[name + "norm2.bias"])
        y = F.gelu(linear(y, p[name + "expand.weight"], p[name + "expand.bias"]))
        h = residual(h, linear(y, p[name + "shrink.weight"], p[name + "shrink.bias"]), masks[2 * block + 1])
    return linear(layer_norm(h, p["norm.gain"], p["norm.bias"]), p["out.weight"], p["out.bias"])
