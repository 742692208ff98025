"""MoCo: InfoNCE against keys of a slowly moving copy of the network, kept in a queue (He et al. 2020, eqs. 1 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.objectives._pairs import cosines, info_nce

__all__ = ["TARGET", "Settings", "loss", "queue"]

TARGET = True


@dataclass(frozen=True)
class Settings:
    """Settings of MoCo."""

    temperature: float = field(0.1, "divides the cosine similarities (the paper: .07)", low=0.005, high=10.0)
    momentum: float = field(
        0.99, "share of its old state the moving copy keeps at every step (the paper: .999)", low=0.0, high=0.99999
    )
    length: int = field(128, "keys the queue holds", low=1, high=65536, shapes=True)
    batch_negatives: bool = field(
        True, "whether keys of the batch are negatives, too, not those of the queue alone (the paper)", shapes=True
    )


def queue(settings: Settings) -> int:
    """Return the length of the queue."""
    return settings.length


def loss(settings: Settings, p: Mapping[str, Tensor], batch: Batch, context: Context) -> Tensor:
    """Return the loss of each replicate ``(R,)``, the mean over anchors that have a positive; 0 where none has.

    Positives are keys of the batch and keys in the queue known to be of the anchor's group; each stands alone against
    the negatives. While the queue is empty and the batch gives no negatives there is nothing to learn and the loss 0.
    """
    assert batch.target is not None
    assert batch.queue is not None
    keys = torch.cat([batch.target, batch.queue.z], dim=1)
    positive = torch.cat([batch.positive, batch.queue.positive], dim=-1)
    of_batch = batch.negative if settings.batch_negatives else torch.zeros_like(batch.negative)
    negative = torch.cat([of_batch, batch.queue.negative], dim=-1)
    logits = cosines(batch.z, keys) / context.values["temperature"][:, None, None]
    return info_nce(logits, positive, negative)
