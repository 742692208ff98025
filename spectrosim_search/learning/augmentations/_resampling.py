"""Spectra read at displaced places of their axis: what the augmentations that move peaks have in common."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["displaced", "unit_axis"]


def unit_axis(axis: Tensor) -> Tensor:
    """Return the axis ``(R, L)`` as a position in [0, 1]; 0 where there is one channel only."""
    first = axis[:, :1]
    return (axis - first) / (axis[:, -1:] - first).clamp(min=torch.finfo(axis.dtype).tiny)


def displaced(x: Tensor, unit: Tensor, move: Tensor) -> Tensor:
    """Return spectra whose peaks moved: what stood at place u - move(u) of the axis now stands at u.

    x: ``(R, M, L)``; unit: ``(R, L)`` from :func:`unit_axis`, evenly spaced or not; move: ``(R, M, L)`` in shares of
    the axis. Linear between neighbouring channels; beyond an end the value at the end is taken. Where nothing moves the
    spectrum stays as it is, bit for bit.
    """
    replicates, length = x.shape[0], x.shape[-1]
    if length < 2:
        return x.clone()
    place = unit.unsqueeze(1) - move
    inner = unit[:, 1:-1].contiguous()  # without its ends, so that the lower neighbour is 0 to L - 2
    lower = torch.searchsorted(inner, place.view(replicates, -1), right=True).view(x.shape)
    # neighbours that this number type does not tell apart are no 0 to divide by
    step = unit.diff(dim=-1).clamp(min=torch.finfo(x.dtype).tiny)
    share = ((place - _at(unit, lower)) / _at(step, lower)).clamp_(0, 1)
    return torch.lerp(x.gather(-1, lower), x.gather(-1, lower + 1), share)


def _at(values: Tensor, index: Tensor) -> Tensor:
    """Return ``(R, L)`` values at indices ``(R, M, K)``."""
    return values.gather(-1, index.view(index.shape[0], -1)).view(index.shape)
