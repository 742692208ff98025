"""Permutation: the spectrum cut into equal segments which change places."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["Settings", "apply"]

_MOST = 64


@dataclass(frozen=True)
class Settings:
    """Settings of permutation."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(4.0, "number of segments, rounded", unit="segments", low=1.0, high=float(_MOST))


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    All segments hold ⌊L / segments⌋ channels; the remainder at the upper end stays in place.
    """
    length = x.shape[-1]
    segments = strength.round().clamp(min=1, max=min(_MOST, length)).to(torch.int64)
    size = length // segments
    keys = random.uniform(_MOST)
    # segments beyond a replicate's own number sort behind all others and so stay out of the way
    keys = keys + (torch.arange(_MOST, device=x.device) >= segments)
    order = keys.argsort(dim=-1, stable=True)
    place = torch.arange(length, device=x.device).expand(x.shape)
    segment = place // size
    source = order.gather(-1, segment.clamp(max=_MOST - 1)) * size + place % size
    return x.gather(-1, torch.where(segment < segments, source, place))
