"""Shot noise: noise whose variance grows with the intensity, as counting ions or photons gives."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["Settings", "apply"]


@dataclass(frozen=True)
class Settings:
    """Settings of shot-noise."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(
        0.1,
        "standard deviation of the noise where the intensity is at its mean; 1 / strength² counts there",
        unit="mean absolute intensity of the spectrum",
        low=0.0,
        high=10.0,
    )


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    Normal noise of variance strength² · |x| · mean |x|, the Poisson law for many counts. It is literal for intensities
    that are only divided by their sum. After a square root real counting noise is the same everywhere (use
    `jitter`); with centred channels |x| is the distance from the average training spectrum, so what is unusual in a
    spectrum becomes uncertain, and what is as always stays.
    """
    size = x.abs()
    spread = (size * size.mean(dim=-1, keepdim=True)).sqrt()
    return x + strength * spread * random.normal(x.shape[-1])
