"""Fully connected heads on features of an encoder: one for classes, several side by side for a pretext's questions.

The NIR pretext paper's heads are three layers with ReLU between and dropout behind them (section 3.1.1); its table of
sizes is not printed.

Legend: S heads side by side, M rows, F features, H hidden features, O outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.learning.parameters import Parameter
from spectrosim_search.learning.randomness import Stream

__all__ = ["LAYERS", "apply_heads", "declare_heads"]

LAYERS = 3
_FIRST_USE = 200  # of the randomness of a step; encoders stay far below


def declare_heads(features: int, hidden: int, outputs: int, heads: int, prefix: str) -> dict[str, Parameter]:
    """Declare `heads` heads of three layers on F features, with names that start with `prefix`."""
    sizes = (features, hidden, hidden, outputs)
    out: dict[str, Parameter] = {}
    for layer, (inside, outside) in enumerate(pairwise(sizes)):
        # ReLU halves the variance (He et al. 2015); the last layer starts small: no head is sure of anything yet
        scale = (2.0 if layer < LAYERS - 1 else 0.01) ** 0.5
        shape = (heads, inside, outside)
        out[f"{prefix}layer{layer}.weight"] = Parameter(shape, "normal", scale / inside**0.5, decay=True)
        out[f"{prefix}layer{layer}.bias"] = Parameter((heads, outside), "constant", 0.0, decay=False)
    return out


def apply_heads(p: Mapping[str, Tensor], h: Tensor, prefix: str, dropout: float, stream: Stream | None) -> Tensor:
    """Return what heads say of features h ``(1, M, F)``: ``(S, M, O)``.

    p: ``(1, *shape)``. stream: None in inference.
    """
    weights = [p[f"{prefix}layer{layer}.weight"][0] for layer in range(LAYERS)]
    x = h[0].expand(weights[0].shape[0], -1, -1)
    for layer, weight in enumerate(weights):
        x = torch.baddbmm(p[f"{prefix}layer{layer}.bias"][0].unsqueeze(1), x, weight)
        if layer < LAYERS - 1:
            x = F.relu(x)
            if stream is not None and dropout > 0:
                rate = torch.full((1,), dropout, dtype=x.dtype, device=x.device)
                x = x * stream.dropout(x.unsqueeze(0), rate, _FIRST_USE + layer, 1)[0, 0]
    return x
