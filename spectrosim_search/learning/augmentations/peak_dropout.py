"""Peak dropout: whole peaks removed, as near a detection limit (Prescribed-embedding synthesis removes 15 %)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn.functional import max_pool1d

from spectrosim_search.config.fields import field
from spectrosim_search.learning.augmentations._resampling import unit_axis
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["Settings", "apply"]


@dataclass(frozen=True)
class Settings:
    """Settings of peak-dropout."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(0.15, "share of the peaks removed", low=0.0, high=1.0)
    window: int = field(
        2,
        "a peak ends where a channel is the lowest of this many to either side; more joins ripples into one peak",
        unit="channels",
        low=1,
        high=200,
        shapes=True,
    )
    fill: Literal["floor", "zero"] = field(
        "floor", "floor: the line between the feet of the peak; zero: 0, with centred channels the mean", shapes=True
    )


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    The spectrum is cut at its local minima; each peak between two of them goes with probability `strength`, flanks
    included, whatever its height. What lies below the line between the feet stays, so the fill "floor" raises no
    channel; a peak at an end of the axis goes down to its only foot. With centred channels a peak is an
    excursion above the average training spectrum: "floor" takes it to the level of the channels beside it, "zero" makes
    the spectrum the average there.
    """
    length = x.shape[-1]
    width = 2 * settings.window + 1
    foot = x <= -max_pool1d(-x, width, stride=1, padding=settings.window)
    place = torch.arange(length, device=x.device)
    left = torch.where(foot, place, -1).cummax(dim=-1).values
    right = torch.where(foot, place, length).flip(-1).cummin(dim=-1).values.flip(-1)
    gone = random.uniform(length + 1).gather(-1, left + 1) < strength  # one number a peak, found by its lower foot
    if settings.fill == "zero":
        return torch.where(gone & ~foot, 0.0, x)
    lower, upper = left.clamp(min=0), right.clamp(max=length - 1)
    low = x.gather(-1, torch.where(left < 0, upper, lower))
    high = x.gather(-1, torch.where(right == length, lower, upper))
    axis = unit_axis(scene.axis).unsqueeze(1).expand(x.shape)
    start = axis.gather(-1, lower)
    step = (axis.gather(-1, upper) - start).clamp(min=torch.finfo(x.dtype).tiny)
    line = torch.lerp(low, high, ((axis - start) / step).clamp(0, 1))
    return torch.where(gone, torch.minimum(x, line), x)
