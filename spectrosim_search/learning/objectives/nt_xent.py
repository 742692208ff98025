"""NT-Xent: normalised temperature-scaled cross-entropy (SimCLR, Chen et al. 2020, eq. 1).

With several positives an anchor's loss is the mean over them of the log share each has of the denominator (supervised
contrastive loss, Khosla et al. 2020, eq. 2, L_out), weighted where positives have weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.layers import Context

__all__ = ["Settings", "loss"]

_NEVER = -1e30  # a logit that takes no share; finite, so that 0 * logit stays 0


@dataclass(frozen=True)
class Settings:
    """Settings of NT-Xent."""

    temperature: float = field(0.1, "divides the cosine similarities", low=0.005, high=10.0)
    label_smoothing: float = field(
        0.0, "share of the target spread evenly over all views compared with", low=0.0, high=0.5
    )


def loss(settings: Settings, p: Mapping[str, Tensor], batch: Batch, context: Context) -> Tensor:
    """Return the loss of each replicate ``(R,)``, the mean over anchors that have a positive; 0 where none has."""
    z, positive, negative, values = batch.z, batch.positive, batch.negative, context.values
    unit = F.normalize(z, dim=-1, eps=1e-8)
    compared = (positive > 0) | negative
    logits = (unit @ unit.transpose(1, 2)) / values["temperature"][:, None, None]
    share = F.log_softmax(logits.masked_fill(~compared, _NEVER), dim=-1)
    weight = positive.sum(dim=-1)
    smoothing = values["label_smoothing"][:, None, None]
    target = (1 - smoothing) * positive / weight.clamp(min=1e-12).unsqueeze(-1)
    target = target + smoothing * compared / compared.sum(dim=-1, keepdim=True).clamp(min=1)
    anchor = (weight > 0).to(z.dtype)
    each = -(target * share).sum(dim=-1) * anchor
    return each.sum(dim=-1) / anchor.sum(dim=-1).clamp(min=1)
