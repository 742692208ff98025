"""Jitter: Gaussian noise on every channel."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.augmentations._spread import deviation
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["Settings", "apply"]


@dataclass(frozen=True)
class Settings:
    """Settings of jitter."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(0.1, "standard deviation of the noise", unit="sd of the spectrum", low=0.0, high=10.0)


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``."""
    return x + strength * deviation(x) * random.normal(x.shape[-1])
