"""Superpose: other spectra of the batch are added, as in a mixture that the spectrum is part of.

A mixture of A and B is shown as often under the name of A as under that of B, so what is pulled to both comes to lie
between them, near the sum of their embeddings: the regularity that reading mixtures off an embedding needs
(:mod:`spectrosim_search.evaluation.mixtures`). Mixup (Zhang et al. 2018) with all components at full weight, and names
not mixed. Spectra are added as they are after preprocessing: exact for `none` and `tic`, for `sqrt` where peaks do not
overlap.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["WHOLE", "Settings", "apply"]

WHOLE = True  # computed for all rows: a row that is not changed itself is added to others


@dataclass(frozen=True)
class Settings:
    """Settings of superpose."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(1.0, "weight of the others beside the spectrum's own", low=0.0, high=4.0)
    others: int = field(3, "most spectra added; 1 to so many, each number equally likely", low=1, high=7, shapes=True)


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``; the mean of what was added up, by weight.

    The others are any rows of the batch but the row itself; with many groups in a batch few are of its own.
    """
    replicates, rows = x.shape[:2]
    count = 1 + (random.uniform(1) * settings.others).to(torch.int64)  # (R, M, 1)
    step = 1 + (random.uniform(settings.others) * (rows - 1)).to(torch.int64)  # never 0: a row is not added to itself
    own = torch.arange(rows, device=x.device).view(1, rows, 1)
    partner = (own + step) % rows
    total, weight = x, torch.ones_like(strength).expand(replicates, rows, 1)
    for number in range(settings.others):
        share = strength * (count > number).to(x.dtype)
        total = total + share * x.gather(1, partner[:, :, number : number + 1].expand_as(x))
        weight = weight + share
    return total / weight
