"""Projection head of residual bottlenecks: h + up(gelu(down(norm(h)))), then a linear layer.

A bottleneck (He et al. 2016, §4.1) as it is used to adapt a network with few weights (Houlsby et al. 2019, fig. 2): the
embedding passes by unchanged but for corrections through a narrow layer. So the head keeps what the encoder found,
where a plain MLP has to learn to keep it, and it is close to a linear head at the start.
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
    """Settings of the residual bottleneck head."""

    blocks: int = field(2, "bottlenecks one behind the other", low=1, high=16, shapes=True)
    bottleneck: int = field(16, "features of the narrow layer", low=1, high=4096, shapes=True)
    out: int = field(64, "size of the projection", low=2, high=4096, shapes=True)
    dropout: float = field(0.0, "share of each correction dropped", low=0.0, high=0.9)


def outputs(settings: Settings, inputs: int, length: int) -> int:
    """Return the size of the projection."""
    return settings.out


def parameters(settings: Settings, inputs: int, length: int) -> dict[str, Parameter]:
    """Declare the tensors for embeddings of `inputs` features."""
    out: dict[str, Parameter] = {}
    for block in range(settings.blocks):
        name = f"block{block}."
        out |= {
            name + "norm.gain": gain(inputs),
            name + "norm.bias": bias(inputs),
            name + "down.weight": weight(inputs, settings.bottleneck),
            name + "down.bias": bias(settings.bottleneck),
            # a fifth of the usual size: the head starts as nearly the linear one
            name + "up.weight": weight(settings.bottleneck, inputs, scale=0.2 / math.sqrt(settings.blocks)),
            name + "up.bias": bias(inputs),
        }
    return out | {"out.weight": weight(inputs, settings.out), "out.bias": bias(settings.out)}


def forward(settings: Settings, p: Mapping[str, Tensor], h: Tensor, x: Tensor, context: Context) -> Tensor:
    """Project embeddings h ``(R, M, D)``; the spectra x ``(R, M, L)`` are not looked at."""
    masks = context.masks(settings.blocks, h)
    for block in range(settings.blocks):
        name = f"block{block}."
        y = layer_norm(h, p[name + "norm.gain"], p[name + "norm.bias"])
        y = F.gelu(linear(y, p[name + "down.weight"], p[name + "down.bias"]))
        h = residual(h, linear(y, p[name + "up.weight"], p[name + "up.bias"]), masks[block])
    return linear(h, p["out.weight"], p["out.bias"])
