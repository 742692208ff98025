"""The pull of features' means to zero, for objectives that do not see the mean and embeddings compared by cosine."""

from __future__ import annotations

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context

__all__ = ["centring", "pull"]


def centring() -> float:
    """Return the field of the weight, the same in every objective that has it."""
    weight: float = field(
        1.0,
        "weight of the squared mean of each feature: the paper's loss does not see it, cosine similarity does",
        low=0.0,
        high=100.0,
    )
    return weight


def pull(mean: Tensor, context: Context) -> Tensor:
    """Return the weighted sum of squares of the features' means ``(R, 1, D)``: ``(R,)``."""
    return context.values["centring"] * mean.square().sum(dim=(1, 2))
