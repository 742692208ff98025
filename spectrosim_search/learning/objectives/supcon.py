"""Supervised contrastive loss (Khosla et al. 2020, eqs. 2 and 3): an anchor's positives share one denominator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.objectives._pairs import NEVER, anchor_mean, cosines

__all__ = ["Settings", "loss"]


@dataclass(frozen=True)
class Settings:
    """Settings of the supervised contrastive loss."""

    temperature: float = field(0.1, "divides the cosine similarities", low=0.005, high=10.0)
    form: Literal["out", "in"] = field(
        "out",
        "out: mean of the positives' log shares, all have to be close; in: log of their mean share, one suffices",
        shapes=True,
    )
    label_smoothing: float = field(
        0.0, "share of the target spread evenly over all views compared with", low=0.0, high=0.5
    )


def loss(settings: Settings, p: Mapping[str, Tensor], batch: Batch, context: Context) -> Tensor:
    """Return the loss of each replicate ``(R,)``, the mean over anchors that have a positive; 0 where none has.

    The denominator holds all positives and negatives of an anchor; views that are neither take no part. Weights of
    positives weigh their shares.
    """
    positive = batch.positive
    compared = (positive > 0) | batch.negative
    logits = cosines(batch.z, batch.z) / context.values["temperature"][:, None, None]
    bottom = logits.masked_fill(~compared, NEVER).logsumexp(dim=-1)
    total = positive.sum(dim=-1)
    weight = positive / total.clamp(min=1e-12).unsqueeze(-1)
    if settings.form == "out":
        top = (weight * logits).sum(dim=-1)
    else:
        log_weight = torch.where(weight > 0, weight, 1.0).log()
        top = (logits + log_weight).masked_fill(positive == 0, NEVER).logsumexp(dim=-1)
    mean = logits.masked_fill(~compared, 0.0).sum(dim=-1) / compared.sum(dim=-1).clamp(min=1)
    smoothing = context.values["label_smoothing"][:, None]
    return anchor_mean(bottom - (1 - smoothing) * top - smoothing * mean, total > 0)
