"""Mixture of experts as the feed-forward layer of a Transformer.

Legend: R replicates, M views, T tokens, D features, E experts, H features inside an expert.

All experts are computed for all tokens. The experts' first layers are columns of one matrix and their second layers
rows of another, so that the mixture is two products with the gates between them, however few experts a token keeps:
at these sizes sorting tokens by expert costs more than it saves, and no token is ever dropped.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.learning.layers import Context, layer_norm, linear, residual
from spectrosim_search.learning.parameters import Parameter, bias, gain, weight

__all__ = ["experts_half", "gates", "imbalance", "mix_experts"]


def experts_half(width: int, hidden: int, experts: int, scale: float, prefix: str) -> dict[str, Parameter]:
    """Declare norm, gate and `experts` feed-forward layers of `hidden` features each, each started like one alone."""
    return {
        prefix + "norm2.gain": gain(width),
        prefix + "norm2.bias": bias(width),
        prefix + "gate.weight": weight(width, experts, scale=0.5),
        prefix + "expand.weight": weight(width, experts * hidden),
        prefix + "expand.bias": bias(experts * hidden),
        prefix + "shrink.weight": weight(experts * hidden, width, scale=scale * math.sqrt(experts)),
        prefix + "shrink.bias": Parameter((experts, width), "constant", 0.0, decay=False),
    }


def gates(logits: Tensor, active: int) -> tuple[Tensor, Tensor]:
    """Return the gates and the full softmax of gate logits ``(…, E)``; the gates of experts not in use are zero.

    From `active` = E on a soft mixture (Jacobs et al. 1991). Fewer: a softmax over the largest `active` logits, the
    others masked (Shazeer et al. 2017, eq. 3-5). One: the expert's share in the full softmax (Fedus et al. 2022,
    Switch Transformer, eq. 2), because a softmax over a single logit would teach the gate nothing.
    """
    probability = torch.softmax(logits, dim=-1)
    if active >= logits.shape[-1]:
        return probability, probability
    kept = logits.topk(active, dim=-1).indices
    mask = torch.zeros_like(logits, dtype=torch.bool).scatter_(-1, kept, True)
    if active == 1:
        return probability * mask, probability
    return torch.softmax(logits.masked_fill(~mask, -torch.inf), dim=-1), probability


def imbalance(gate: Tensor, probability: Tensor, active: int) -> Tensor:
    """Return how unevenly experts are used, ``(R,)`` from ``(R, …, E)``: 0 when even, E - 1 when one takes all.

    Sparse gates: E Σ f P - 1 with f the share of tokens an expert is given and P its mean probability (Fedus et al.
    2022, eq. 4-6). A soft mixture gives every expert every token, so f is P there: the squared coefficient of variation
    of the experts' importance (Shazeer et al. 2017, eq. 6-7).
    """
    count = gate.shape[-1]
    mean = probability.flatten(1, -2).mean(dim=1)
    share = mean if active >= count else (gate > 0).flatten(1, -2).to(mean.dtype).mean(dim=1) / active
    return count * (share * mean).sum(dim=-1) - 1


def mix_experts(
    p: Mapping[str, Tensor], h: Tensor, active: int, mask: Tensor | None, context: Context, prefix: str
) -> tuple[Tensor, Tensor | None]:
    """Add the mixture of experts to tokens h ``(R, M, T, D)``, normalised before.

    `mask`: dropout or None. Returns the tokens and, in training, the imbalance ``(R,)``. The softmax of the gates is
    taken in the type of the parameters, which the choice of experts is sensitive to (Fedus et al. 2022, section 2.4).
    """
    y = layer_norm(h, p[prefix + "norm2.gain"], p[prefix + "norm2.bias"])
    logits = linear(y, p[prefix + "gate.weight"]).to(context.axis.dtype)
    gate, probability = gates(logits, active)
    uneven = imbalance(gate, probability, active) if context.training else None
    gate = gate.to(h.dtype)
    inner = F.gelu(linear(y, p[prefix + "expand.weight"], p[prefix + "expand.bias"]))
    inner = (inner.view(*gate.shape, -1) * gate.unsqueeze(-1)).flatten(-2)
    out = linear(inner, p[prefix + "shrink.weight"]) + linear(gate, p[prefix + "shrink.bias"])
    return residual(h, out, mask), uneven
