"""Projection head of SimCLR (Chen et al. 2020, §2.1): linear layers with a non-linearity between."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, linear
from spectrosim_search.learning.parameters import Parameter, bias, weight

__all__ = ["Settings", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of the MLP head."""

    width: int = field(128, "features of the hidden layers", low=2, high=4096, shapes=True)
    out: int = field(64, "size of the projection", low=2, high=4096, shapes=True)
    layers: int = field(2, "linear layers, the last included", low=2, high=8, shapes=True)
    dropout: float = field(0.0, "share of hidden features dropped", low=0.0, high=0.9)


def outputs(settings: Settings, inputs: int, length: int) -> int:
    """Return the size of the projection."""
    return settings.out


def parameters(settings: Settings, inputs: int, length: int) -> dict[str, Parameter]:
    """Declare the tensors for embeddings of `inputs` features."""
    sizes = [inputs, *[settings.width] * (settings.layers - 1), settings.out]
    out: dict[str, Parameter] = {}
    for layer, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        out |= {f"layer{layer}.weight": weight(rows, columns), f"layer{layer}.bias": bias(columns)}
    return out


def forward(settings: Settings, p: Mapping[str, Tensor], h: Tensor, x: Tensor, context: Context) -> Tensor:
    """Project embeddings h ``(R, M, D)``; the spectra x ``(R, M, L)`` are not looked at."""
    for layer in range(settings.layers):
        if layer:
            h = context.dropout(F.gelu(h))
        h = linear(h, p[f"layer{layer}.weight"], p[f"layer{layer}.bias"])
    return h
