"""NT-Xent: normalised temperature-scaled cross-entropy over positive pairs (SimCLR, Chen et al. 2020, eq. 1).

With several positives every pair has a loss of its own, whose denominator holds that positive and the negatives alone;
an anchor's loss is their weighted mean. With all positives in the denominator it is the objective ``supcon``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.objectives._pairs import cosines, info_nce

__all__ = ["Settings", "loss"]


@dataclass(frozen=True)
class Settings:
    """Settings of NT-Xent."""

    temperature: float = field(0.1, "divides the cosine similarities", low=0.005, high=10.0)
    label_smoothing: float = field(
        0.0, "share of the target spread evenly over all views compared with", low=0.0, high=0.5
    )


def loss(settings: Settings, p: Mapping[str, Tensor], batch: Batch, context: Context) -> Tensor:
    """Return the loss of each replicate ``(R,)``, the mean over anchors that have a positive; 0 where none has.

    Views that are neither positive nor negative take no part.
    """
    logits = cosines(batch.z, batch.z) / context.values["temperature"][:, None, None]
    return info_nce(logits, batch.positive, batch.negative, context.values["label_smoothing"])
