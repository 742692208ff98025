"""Shift: a circular shift along the axis, by whole channels."""

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
    """Settings of shift."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(0.005, "largest shift either way", unit="share of the axis", low=0.0, high=0.5)


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    A row moves by U(-strength, strength) · L channels.
    """
    length = x.shape[-1]
    move = ((2 * random.uniform(1) - 1) * strength * length).round().to(torch.int64)
    source = (torch.arange(length, device=x.device) - move) % length
    return x.gather(-1, source)
