"""Axis warp: peaks move by amounts that change smoothly along the axis, as local errors of an m/z scale do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.augmentations._resampling import displaced, unit_axis
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["Settings", "apply"]


@dataclass(frozen=True)
class Settings:
    """Settings of axis-warp. Within the limits peaks never pass each other."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(0.002, "largest displacement either way", unit="share of the axis", low=0.0, high=0.02)
    knots: int = field(
        8, "places, evenly spread over the axis, whose displacements are drawn", low=2, high=16, shapes=True
    )


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    Displacements U(-strength, strength) at the knots, joined by smoothsteps, in units of the axis: on an unevenly
    spaced axis all peaks of a neighbourhood move by the same m/z, not by the same number of channels. With
    channels centred or scaled it is the deviations from the average training spectrum that move; that spectrum itself
    stays, so the change is smaller than the same displacement of raw intensities.
    """
    unit = unit_axis(scene.axis)
    knot = torch.arange(settings.knots, device=x.device, dtype=x.dtype).unsqueeze(-1)
    near = (1 - (unit.unsqueeze(1) * (settings.knots - 1) - knot).abs()).clamp_(min=0)
    weight = (
        near * near * (3 - 2 * near)
    )  # the steps of two neighbours add to 1, so no displacement exceeds the largest
    move = strength * (2 * random.uniform(settings.knots).to(x.dtype) - 1)
    return displaced(x, unit, move @ weight)
