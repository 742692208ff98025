"""What Transformers share: patch tokens, positions along the axis, pre-norm half blocks, pooling.

Legend: R replicates, M views, L channels, T tokens, D features of a token. `prefix` starts the names of a part's
tensors, so that one model can hold several. A declaration lists tensors in the order in which they are drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.learning.layers import Context, attention, layer_norm, linear, residual
from spectrosim_search.learning.parameters import Parameter, bias, gain, table, weight

__all__ = [
    "Pool",
    "Position",
    "attend",
    "attention_half",
    "branch_scale",
    "embed_patches",
    "feed_forward",
    "feed_forward_half",
    "head_problems",
    "patch_embedding",
    "patches",
    "place",
    "pool",
    "pooling",
    "positions",
    "token_count",
]

Position = Literal["axis", "learned"]
Pool = Literal["mean", "attention"]

_FREQUENCIES = 16  # sines and cosines from half a turn over the whole axis up to one turn every other token


def head_problems(width: int, heads: int) -> list[str]:
    """Return what is wrong with so many attention heads for tokens of `width` features."""
    return [f"width {width} is not a multiple of heads {heads}"] if width % heads else []


def token_count(length: int, patch: int) -> int:
    """Return the number of tokens of `patch` channels that cover `length` channels, the last one padded with zeros."""
    return math.ceil(length / patch)


def branch_scale(depth: int) -> float:
    """Return the scale of residual branches that keeps the stream's variance near one over `depth` blocks."""
    return 1 / math.sqrt(2 * depth)


def patch_embedding(patch: int, width: int, prefix: str = "") -> dict[str, Parameter]:
    """Declare the projection of a patch to a token."""
    return {prefix + "patch.weight": weight(patch, width), prefix + "patch.bias": bias(width)}


def patches(x: Tensor, patch: int) -> Tensor:
    """Cut spectra x ``(R, M, L)`` into neighbouring channels ``(R, M, T, patch)``, zeros behind the last channel."""
    replicates, rows, length = x.shape
    tokens = token_count(length, patch)
    if tokens * patch > length:
        x = F.pad(x, (0, tokens * patch - length))
    return x.reshape(replicates, rows, tokens, patch)


def embed_patches(p: Mapping[str, Tensor], x: Tensor, patch: int, prefix: str = "") -> Tensor:
    """Return tokens ``(R, M, T, D)`` of spectra x ``(R, M, L)``, without their positions."""
    return linear(patches(x, patch), p[prefix + "patch.weight"], p[prefix + "patch.bias"])


def positions(kind: Position, tokens: int, width: int, prefix: str = "") -> dict[str, Parameter]:
    """Declare scale and shift by position for `tokens` tokens of `width` features."""
    if kind == "axis":
        return {
            prefix + "position.weight": weight(2 * _FREQUENCIES, 2 * width, scale=0.5),
            prefix + "position.bias": bias(2 * width),
        }
    return {prefix + "position.table": table(tokens, 2 * width, scale=0.5)}


def _waves(axis: Tensor, patch: int, tokens: int) -> Tensor:
    """Return sines and cosines of each patch centre's axis value: axis ``(R, L)`` → ``(R, T, 2 F)``.

    The value is taken relative to the two ends of the axis: uneven axes keep their spacing, units do not matter.
    """
    length = axis.shape[1]
    first = (torch.arange(tokens, device=axis.device) * patch).clamp(max=length - 1)
    last = (first + patch - 1).clamp(max=length - 1)
    low, high = axis[:, :1], axis[:, -1:]
    place = ((axis[:, first] + axis[:, last]) / 2 - low) / (high - low).abs().clamp(min=1e-12)
    turns = torch.logspace(-1, math.log2(max(tokens, 2)) - 1, _FREQUENCIES, base=2.0, dtype=axis.dtype)
    angle = 2 * math.pi * place.unsqueeze(-1) * turns.to(axis.device)
    return torch.cat([angle.sin(), angle.cos()], dim=-1) * math.sqrt(2)


def place(p: Mapping[str, Tensor], h: Tensor, kind: Position, patch: int, context: Context, prefix: str = "") -> Tensor:
    """Scale and shift tokens h ``(R, M, T, D)`` by their position; token t starts at channel ``t * patch``.

    The same peak shape then means something different at another place of the axis from the first layer on, with far
    fewer weights than a projection per position.
    """
    if kind == "axis":
        tokens = h.shape[2]
        waves = context.constant(
            f"waves {patch} {tokens} {h.dtype}", lambda: _waves(context.axis, patch, tokens).to(h.dtype)
        )
        where = linear(waves, p[prefix + "position.weight"], p[prefix + "position.bias"])
    else:
        where = p[prefix + "position.table"]
    scale, shift = where.unsqueeze(1).chunk(2, dim=-1)
    return torch.addcmul(shift, h, 1 + scale)


def attention_half(width: int, scale: float, prefix: str) -> dict[str, Parameter]:
    """Declare norm, self-attention and mixing; `scale` that of the branch (:func:`branch_scale`)."""
    return {
        prefix + "norm1.gain": gain(width),
        prefix + "norm1.bias": bias(width),
        prefix + "attention.weight": weight(width, 3 * width),
        prefix + "attention.bias": bias(3 * width),
        prefix + "mix.weight": weight(width, width, scale=scale),
        prefix + "mix.bias": bias(width),
    }


def attend(p: Mapping[str, Tensor], h: Tensor, heads: int, mask: Tensor | None, prefix: str) -> Tensor:
    """Add self-attention to tokens h ``(R, M, T, D)``, normalised before (Xiong et al. 2020); mask: dropout or None."""
    y = layer_norm(h, p[prefix + "norm1.gain"], p[prefix + "norm1.bias"])
    y = attention(linear(y, p[prefix + "attention.weight"], p[prefix + "attention.bias"]), heads)
    return residual(h, linear(y, p[prefix + "mix.weight"], p[prefix + "mix.bias"]), mask)


def feed_forward_half(width: int, hidden: int, scale: float, prefix: str) -> dict[str, Parameter]:
    """Declare norm and the two layers of a feed-forward branch with `hidden` features between them."""
    return {
        prefix + "norm2.gain": gain(width),
        prefix + "norm2.bias": bias(width),
        prefix + "expand.weight": weight(width, hidden),
        prefix + "expand.bias": bias(hidden),
        prefix + "shrink.weight": weight(hidden, width, scale=scale),
        prefix + "shrink.bias": bias(width),
    }


def feed_forward(p: Mapping[str, Tensor], h: Tensor, mask: Tensor | None, prefix: str) -> Tensor:
    """Add the feed-forward branch to tokens h ``(R, M, T, D)``, normalised before; mask: dropout or None."""
    y = layer_norm(h, p[prefix + "norm2.gain"], p[prefix + "norm2.bias"])
    y = F.gelu(linear(y, p[prefix + "expand.weight"], p[prefix + "expand.bias"]))
    return residual(h, linear(y, p[prefix + "shrink.weight"], p[prefix + "shrink.bias"]), mask)


def pooling(kind: Pool, width: int, prefix: str = "") -> dict[str, Parameter]:
    """Declare the last norm and, for "attention", what weighs the tokens."""
    out = {prefix + "norm.gain": gain(width), prefix + "norm.bias": bias(width)}
    return out | ({prefix + "pool.query": weight(width, 1)} if kind == "attention" else {})


def pool(p: Mapping[str, Tensor], h: Tensor, kind: Pool, prefix: str = "") -> Tensor:
    """Normalise tokens h ``(R, M, T, D)`` and take their mean, plain or weighted by a softmax: ``(R, M, D)``."""
    h = layer_norm(h, p[prefix + "norm.gain"], p[prefix + "norm.bias"])
    if kind == "attention":
        share = torch.softmax(linear(h, p[prefix + "pool.query"]), dim=2)
        return (h * share).sum(dim=2)
    return h.mean(dim=2)
