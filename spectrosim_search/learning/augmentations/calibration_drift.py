"""Calibration drift: the whole axis offset and stretched, as when an instrument's calibration has aged."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.augmentations._resampling import displaced, unit_axis
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["Settings", "apply"]


@dataclass(frozen=True)
class Settings:
    """Settings of calibration-drift."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(
        0.001, "largest displacement either way, reached at an end", unit="share of the axis", low=0.0, high=0.1
    )


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    A peak at place v of the axis, -1 to 1 from end to end, moves by strength · (a + b v) / 2 of the axis with a, b from
    U(-1, 1). Unlike `shift` it moves by fractions of a channel, by m/z rather than channels, and nothing comes in at
    the other end: beyond an end the value at the end is taken. With channels centred or scaled it is the
    deviations from the average training spectrum that move.
    """
    unit = unit_axis(scene.axis)
    drawn = strength * (random.uniform(2).to(x.dtype) - 0.5)
    offset, stretch = drawn[..., :1], drawn[..., 1:]
    return displaced(x, unit, offset + stretch * (2 * unit - 1).unsqueeze(1))
