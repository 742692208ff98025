"""Group mix: a spectrum mixed with another of its group."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["PARTNERS", "Settings", "apply"]

PARTNERS = True


@dataclass(frozen=True)
class Settings:
    """Settings of group-mix."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(0.5, "largest share of the other spectrum", low=0.0, high=1.0)


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    (1 - a) x + a · partner with a from U(0, strength); the partner is another training spectrum of the group, as it was
    measured. A spectrum alone in its group stays as it is. It reads the groups of the training spectra, so views
    made by it are not label-free. Means survive centring and scaling: preprocessed spectra mix as their inputs would.
    """
    share = strength * random.uniform(1).to(x.dtype)
    return torch.lerp(x, scene.partners(random).to(x.dtype), share)
