"""Stacks of dense layers whose widths go from one size to another in equal steps, with leaky ReLU between them.

The synthesis paper's encoder and decoder are such stacks (797 → 765 → … → 541 → 512 and back, in steps of 32).
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.learning.layers import linear
from spectrosim_search.learning.parameters import Parameter, bias, weight

__all__ = ["SLOPE", "stepped", "stepped_parameters", "widths"]

SLOPE = 0.01  # of the leaky ReLU below zero


def widths(first: int, last: int, depth: int) -> tuple[int, ...]:
    """Return `depth` + 1 widths from `first` to `last` in equal steps, rounded."""
    return tuple(round(first + (last - first) * step / depth) for step in range(depth + 1))


def stepped_parameters(sizes: tuple[int, ...], name: str = "") -> dict[str, Parameter]:
    """Declare the layers between the given widths: ``<name>layer0.weight``, ``<name>layer0.bias``, …."""
    out: dict[str, Parameter] = {}
    for layer, (inputs, outputs) in enumerate(pairwise(sizes)):
        last = layer == len(sizes) - 2
        # leaky ReLU halves a variance, so a layer that feeds one starts at twice the variance
        out[f"{name}layer{layer}.weight"] = weight(inputs, outputs, scale=1.0 if last else 2**0.5)
        out[f"{name}layer{layer}.bias"] = bias(outputs)
    return out


def stepped(p: Mapping[str, Tensor], x: Tensor, depth: int, name: str = "") -> Tensor:
    """Return what `depth` layers make of x ``(R, M, I)``: ``(R, M, O)``; the last one is linear."""
    for layer in range(depth):
        x = linear(x, p[f"{name}layer{layer}.weight"], p[f"{name}layer{layer}.bias"])
        if layer < depth - 1:
            x = F.leaky_relu(x, SLOPE)
    return x
