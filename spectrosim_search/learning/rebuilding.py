"""Losses of rebuilt spectra and the peak-removed spectra that generators are given."""

from __future__ import annotations

import torch
from torch import Tensor

from spectrosim_search.learning.randomness import RowStream

__all__ = ["even", "remove_peaks", "weighted_cosine"]

_TINY = 1e-12


def even(x: Tensor) -> Tensor:
    """Scale spectra ``(…, L)`` to a mean square of 1, the size that starting weights expect."""
    return x * torch.rsqrt(x.square().mean(dim=-1, keepdim=True) + _TINY)


def remove_peaks(x: Tensor, share: float, random: RowStream) -> Tensor:
    """Return spectra x ``(M, L)`` without a random `share` of their peaks; one peak at least stays as it was.

    The synthesis paper's way to new inputs: adding peaks would make another compound of it.
    """
    drawn = random.uniform(x.shape[1])[0]
    kept = torch.where(drawn >= share, x, 0.0)
    return torch.where((kept.amax(dim=1, keepdim=True) > 0), kept, x)


def weighted_cosine(a: Tensor, b: Tensor, axis: Tensor) -> Tensor:
    """Return Σ m·a·b / (√Σ m·a² · √Σ m·b²) over the last axis (synthesis paper, eq. 1); m: axis ``(L,)``."""
    both = (axis * a * b).sum(dim=-1)
    size = (axis * a * a).sum(dim=-1) * (axis * b * b).sum(dim=-1)
    return both / (size + _TINY).sqrt()
