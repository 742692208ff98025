"""Finding the peaks of spectra, the same on every device and in every precision.

Legend: R replicates, M views, L channels, K peaks.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["Peaks", "at_places", "highest_peaks", "surroundings"]


class Peaks(NamedTuple):
    """Chosen peaks, the highest first. place: channel ``(R, M, K)`` int64. present: bool ``(R, M, K)``, False where a
    spectrum has fewer peaks; the place is some other channel then.
    """

    place: Tensor
    present: Tensor


@torch.no_grad()
def highest_peaks(x: Tensor, count: int, apart: int) -> Peaks:
    r"""Return the `count` highest local maxima of \|x\|, x ``(R, M, L)``; K is at most L.

    A channel is a local maximum where it is above zero, above the `apart` channels before it and not below the `apart`
    channels behind it. Of equally high ones (as float32) the first come first: a sort that leaves ties open would
    choose differently on another device, so every height is lowered by its place times 2⁻⁵⁰ of itself, far less than
    two different float32 numbers are apart.
    """
    length = x.shape[-1]
    height = x.abs().float().flatten(0, 1)
    pooled = F.max_pool1d(F.pad(height, (apart, apart), value=-1.0), apart, 1)
    before, behind = pooled[:, :length], pooled[:, apart + 1 : apart + 1 + length]
    peak = (height > before) & (height >= behind) & (height > 0)
    lower = 1 - torch.arange(length, dtype=torch.float64, device=x.device) * 2.0**-50
    found = torch.topk(torch.where(peak, height * lower, 0.0), min(count, length), dim=-1)
    shape = (*x.shape[:2], -1)
    return Peaks(found.indices.view(shape), (found.values > 0).view(shape))


def surroundings(x: Tensor, place: Tensor, around: int) -> Tensor:
    """Return x ``(R, M, L)`` at places ``(R, M, K)`` and `around` channels to both sides, ``(R, M, K, 2 around + 1)``.

    Beyond the ends of the axis x counts as zero.
    """
    window = torch.arange(2 * around + 1, device=x.device)
    where = (place.unsqueeze(-1) + window).flatten(2)
    return F.pad(x, (around, around)).gather(2, where).view(*place.shape, -1)


def at_places(table: Tensor, place: Tensor) -> Tensor:
    """Return rows of a table ``(R, L, F)`` at places ``(R, M, K)``, ``(R, M, K, F)``."""
    replicate = torch.arange(table.shape[0], device=table.device).view(-1, 1, 1)
    return table[replicate, place]
