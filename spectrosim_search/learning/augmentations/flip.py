"""Flip: the spectrum reversed along the axis."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["Settings", "apply"]


@dataclass(frozen=True)
class Settings:
    """Settings of flip, which has no strength."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return reversed spectra: x ``(R, M, L)``; `strength` has no meaning here."""
    return x.flip(-1)
