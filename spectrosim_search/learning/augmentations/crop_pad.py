"""Crop and pad: channels at the ends replaced by zeros."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["Settings", "apply"]


@dataclass(frozen=True)
class Settings:
    """Settings of crop-pad."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(
        0.1, "largest share removed, both ends together", unit="share of the axis", low=0.0, high=0.95
    )


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    U(0, strength) · L channels go, split at random between the two ends; what stays keeps its place, as an m/z or a
    wavelength would.
    """
    length = x.shape[-1]
    amount, split = random.uniform(1), random.uniform(1)
    removed = amount * strength * length
    first = (removed * split).floor()
    place = torch.arange(length, device=x.device, dtype=x.dtype)
    kept = (place >= first) & (place < length - (removed - first).floor())
    return torch.where(kept, x, 0.0)
