"""VICReg: variance, invariance, covariance (Bardes, Ponce and LeCun 2022, eqs. 1 to 6).

Invariance is taken over all positive pairs with their weights, variance and covariance over the views in them, a view
counting as much as its pairs. With two views of every spectrum that is the paper's formula on the batch and its mirror
image behind each other. As in the authors' program, invariance is the mean over features, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.objectives._centring import centring, pull
from spectrosim_search.learning.objectives._pairs import symmetric_weights

__all__ = ["Settings", "loss"]


@dataclass(frozen=True)
class Settings:
    """Settings of VICReg."""

    invariance: float = field(25.0, "weight of the distance of positive pairs (lambda)", low=0.0, high=1000.0)
    variance: float = field(25.0, "weight of features that spread less than 1 (mu)", low=0.0, high=1000.0)
    covariance: float = field(1.0, "weight of the covariances between features (nu)", low=0.0, high=1000.0)
    centring: float = centring()


def loss(settings: Settings, p: Mapping[str, Tensor], batch: Batch, context: Context) -> Tensor:
    """Return the loss of each replicate ``(R,)``; 0 where there is no positive pair. Negatives are not looked at."""
    z, values = batch.z, context.values
    size = z.shape[-1]
    pairs, views, any_pair = symmetric_weights(batch.positive)
    share = views.unsqueeze(-1)
    mean = (share * z).sum(dim=1, keepdim=True)
    centred = z - mean
    # the sum over pairs of w |a - b|², without a tensor of all differences
    spread = (share * centred.square()).sum(dim=(1, 2))
    together = (centred * torch.bmm(pairs, centred)).sum(dim=(1, 2))
    invariance = 2 * (spread - together) / size
    # 1 - sum of squared weights is (n - 1) / n for equal ones: the unbiased estimate
    unbiased = (1 - views.square().sum(dim=-1)).clamp(min=1e-6)[:, None, None]
    covariances = torch.bmm(centred.transpose(1, 2), share * centred) / unbiased
    own = covariances.diagonal(dim1=1, dim2=2)
    variance = F.relu(1 - (own + 1e-4).sqrt()).mean(dim=-1)
    covariance = (covariances.square().sum(dim=(1, 2)) - own.square().sum(dim=-1)) / size
    both_sides = values["variance"] * variance + values["covariance"] * covariance  # equal on either side of the pairs
    total = values["invariance"] * invariance + 2 * both_sides
    return torch.where(any_pair, total + pull(mean, context) / size, 0.0)
