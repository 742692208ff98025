"""Projection head that keeps the distribution of peaks.

An MLP head may forget where a spectrum's intensity lies: whatever does not lower the loss on a few dozen training
groups is free to vanish, and with it what would tell unseen groups apart. This head gives part of the similarity to
the distribution itself, in a form the encoder cannot touch:

1. After scaling, a spectrum has two non-negative parts, what stands above the channel's training mean and what is
   missing below it. Each is normalised to unit mass, p (L,): a distribution of peaks, free of total intensity.
2. Each channel shares its mass among K bins, shares learned and summing to one (a softmax over bins). The result
   q = p S is again a distribution of unit mass: a learned, soft binning of the axis which can merge isotopes or adducts
   far apart. As S is a stochastic matrix, two spectra never become more different than they were (data processing
   inequality for the Hellinger distance). It starts as an even binning of neighbouring channels.
3. √q has unit length and the dot product of two is the Bhattacharyya coefficient of the two distributions. A learned
   reference profile, at the start the even one, is taken off, else all spectra would look alike.
4. The output joins the unit-length projection of the encoder's embedding and the unit-length profile with weights √g
   and √(1-g), g learned. So the cosine of two outputs is
   g · (cosine of embeddings) + (1-g) · (agreement of peak distributions).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, linear
from spectrosim_search.learning.parameters import Parameter, bias, weight

__all__ = ["Settings", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of the spectral head."""

    out: int = field(64, "size of the embedding's projection", low=2, high=4096, shapes=True)
    bins: int = field(
        32, "learned bins of the peak distribution, above and below the mean each", low=2, high=512, shapes=True
    )
    share: float = field(
        0.5, "weight of the peak distribution in the similarity at the start", low=0.01, high=0.99, shapes=True
    )


def outputs(settings: Settings, inputs: int, length: int) -> int:
    """Return the size of the projection."""
    return settings.out + 2 * settings.bins


def parameters(settings: Settings, inputs: int, length: int) -> dict[str, Parameter]:
    """Declare the tensors for embeddings of `inputs` features and spectra of `length` channels."""
    even = Parameter((2 * settings.bins,), "constant", 1 / math.sqrt(settings.bins), decay=False)
    gate = Parameter((1,), "constant", math.log((1 - settings.share) / settings.share), decay=False)
    return {
        "weight": weight(inputs, settings.out),
        "bias": bias(settings.out),
        "bins": Parameter((length, settings.bins), "bumps", 2.0, decay=False),
        "reference": even,
        "gate": gate,
    }


def forward(settings: Settings, p: Mapping[str, Tensor], h: Tensor, x: Tensor, context: Context) -> Tensor:
    """Join embeddings h ``(R, M, D)`` and the peak distribution of spectra x ``(R, M, L)``."""
    shares = torch.softmax(p["bins"], dim=-1)
    parts = torch.cat([x.clamp(min=0), (-x).clamp(min=0)], dim=1)
    mass = parts.sum(dim=-1, keepdim=True).clamp(min=1e-6)
    above, below = (torch.bmm(parts / mass, shares) + 1e-6).sqrt().chunk(2, dim=1)
    profile = torch.cat([above, below], dim=-1) - p["reference"].unsqueeze(1)
    gate = torch.sigmoid(p["gate"]).unsqueeze(-1)
    projected = F.normalize(linear(h, p["weight"], p["bias"]), dim=-1, eps=1e-6)
    return torch.cat([gate.sqrt() * projected, (1 - gate).sqrt() * F.normalize(profile, dim=-1, eps=1e-6)], dim=-1)
