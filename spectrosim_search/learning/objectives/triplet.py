"""Triplet loss with semi-hard mining inside the batch (FaceNet, Schroff et al. 2015, eqs. 1 to 4).

For every anchor and positive one negative is taken: the nearest of those farther away than the positive; where all
are nearer, the farthest of them (the rule of TensorFlow Addons' ``triplet_semihard_loss``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.objectives._pairs import cosines, pair_mean

__all__ = ["Settings", "loss"]


@dataclass(frozen=True)
class Settings:
    """Settings of the triplet loss."""

    margin: float = field(
        0.2, "how much farther away than the positive the negative has to be", unit="of the distance", low=0.0, high=4.0
    )
    distance: Literal["squared", "euclidean", "cosine"] = field(
        "squared",
        "of vectors of unit length; squared: Euclidean, squared, 0 to 4; euclidean: 0 to 2; cosine: 1 - cosine, "
        "half of squared",
        shapes=True,
    )
    mining: Literal["semi-hard", "hardest"] = field(
        "semi-hard",
        "semi-hard: the nearest negative beyond the positive, the farthest where none is; hardest: the nearest of all",
        shapes=True,
    )
    slope: Literal["hinge", "soft"] = field(
        "hinge",
        "hinge: no loss beyond the margin; soft: log(1 + exp(…)) instead, which goes on pulling (Hermans et al. 2017)",
        shapes=True,
    )


def _distances(z: Tensor, kind: str) -> Tensor:
    apart = 1 - cosines(z, z)
    if kind == "cosine":
        return apart
    if kind == "squared":
        return 2 * apart
    some = apart > 1e-12  # the root has no slope at 0: equal embeddings give no gradient
    return torch.where(some, (2 * torch.where(some, apart, 1.0)).sqrt(), 0.0)


def loss(settings: Settings, p: Mapping[str, Tensor], batch: Batch, context: Context) -> Tensor:
    """Return the loss of each replicate ``(R,)``: weighted mean over an anchor's positives, then over anchors.

    Only anchors with a positive and a negative take part; 0 where none has both.
    """
    distance = _distances(batch.z, settings.distance)
    count = batch.negative.sum(dim=-1, keepdim=True)
    # an anchor's negatives in rising order, everything else behind them
    nearest, _ = distance.masked_fill(~batch.negative, 1e30).sort(dim=-1, stable=True)
    if settings.mining == "hardest":
        chosen = nearest[..., :1]
    else:
        beyond = torch.searchsorted(nearest.detach(), distance.detach().contiguous(), right=True)
        chosen = nearest.gather(-1, beyond.minimum((count - 1).clamp(min=0)))
    weight = batch.positive.masked_fill(count == 0, 0.0)
    chosen = chosen.masked_fill(count == 0, 0.0)
    short = distance - chosen + context.values["margin"][:, None, None]
    return pair_mean(F.relu(short) if settings.slope == "hinge" else F.softplus(short), weight)
