"""Baseline drift: a smooth curve of low order added to the spectrum, as background, scatter or fluorescence do."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.augmentations._resampling import unit_axis
from spectrosim_search.learning.augmentations._spread import deviation
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["WHOLE", "Settings", "apply"]

WHOLE = True  # computed for all rows: a matrix product, cheap for all rows


@dataclass(frozen=True)
class Settings:
    """Settings of baseline-drift."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(0.1, "root mean square of the curve", unit="sd of the spectrum", low=0.0, high=10.0)
    order: int = field(3, "order of the polynomial: 0 an offset, 1 a slope too, …", low=0, high=8, shapes=True)


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    A polynomial along the axis with independent normal weights of the Legendre polynomials, each with the same share of
    the curve's mean square. With scaled channels the curve is smooth in standard deviations of the channels, not in
    intensities: where channels vary little, less is added than a background of this size would.
    """
    place = 2 * unit_axis(scene.axis) - 1
    curves = [torch.ones_like(place), place]
    for n in range(1, settings.order):  # Bonnet's recursion
        curves.append(((2 * n + 1) * place * curves[n] - n * curves[n - 1]) / (n + 1))
    basis = torch.stack(curves[: settings.order + 1], dim=1)
    # the mean square of P_n over [-1, 1] is 1 / (2 n + 1)
    size = torch.arange(1, 2 * settings.order + 2, 2, device=x.device, dtype=x.dtype) / (settings.order + 1)
    weight = random.normal(settings.order + 1).to(x.dtype) * size.sqrt()
    return x + (strength * deviation(x) * weight) @ basis
