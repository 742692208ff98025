"""Barlow Twins: features of positive pairs agree, different features do not (Zbontar et al. 2021, eqs. 1 and 2).

The cross-correlation is taken over all positive pairs with their weights, each pair in both orders. With two views of
every spectrum that is the paper's formula on the batch and its mirror image behind each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.objectives._centring import centring, pull
from spectrosim_search.learning.objectives._pairs import symmetric_weights

__all__ = ["Settings", "loss"]


@dataclass(frozen=True)
class Settings:
    """Settings of Barlow Twins."""

    redundancy: float = field(
        0.02, "weight of the correlations between different features (the paper's lambda)", low=1e-5, high=10.0
    )
    centring: float = centring()


def loss(settings: Settings, p: Mapping[str, Tensor], batch: Batch, context: Context) -> Tensor:
    """Return the loss of each replicate ``(R,)``; 0 where there is no positive pair. Negatives are not looked at."""
    pairs, views, any_pair = symmetric_weights(batch.positive)
    share = views.unsqueeze(-1)
    mean = (share * batch.z).sum(dim=1, keepdim=True)
    centred = batch.z - mean
    variance = (share * centred.square()).sum(dim=1, keepdim=True)
    standard = centred * torch.rsqrt(variance + 1e-5)  # the authors' batch normalisation has this constant too
    correlation = torch.bmm(standard.transpose(1, 2), torch.bmm(pairs, standard))
    same = correlation.diagonal(dim1=1, dim2=2)
    agreement = (1 - same).square().sum(dim=-1)
    redundancy = correlation.square().sum(dim=(1, 2)) - same.square().sum(dim=-1)
    total = agreement + context.values["redundancy"] * redundancy
    return torch.where(any_pair, total + pull(mean, context), 0.0)
