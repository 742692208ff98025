"""What objectives share: cosines that are safe at zero, and means over positive pairs and anchors.

Legend: R replicates, M views (anchors), K keys an anchor is compared with, D features.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["NEVER", "anchor_mean", "cosines", "info_nce", "pair_mean", "symmetric_weights", "unit"]

NEVER = -1e30  # a logit that takes no share; finite, so that 0 * logit stays 0
_TINY = 1e-12  # sums of weights below count as this, so that an empty sum divides nothing by something


def unit(z: Tensor) -> Tensor:
    """Return z ``(R, M, D)`` with rows of unit length; a row of zeros stays zero."""
    return F.normalize(z, dim=-1, eps=1e-8)


def cosines(left: Tensor, right: Tensor) -> Tensor:
    """Return the cosine of every row of left ``(R, M, D)`` with every row of right ``(R, K, D)``: ``(R, M, K)``."""
    return torch.bmm(unit(left), unit(right).transpose(1, 2))


def anchor_mean(each: Tensor, takes_part: Tensor) -> Tensor:
    """Return the mean of each ``(R, M)`` over the anchors that take part, bool ``(R, M)``; 0 where none does."""
    total = each.masked_fill(~takes_part, 0.0).sum(dim=-1)
    return total / takes_part.sum(dim=-1).clamp(min=1)


def pair_mean(each: Tensor, weight: Tensor) -> Tensor:
    """Return ``(R,)``: values of pairs each ``(R, M, K)``, averaged by `weight` over an anchor's keys, then plainly.

    Anchors whose weights ``(R, M, K)`` are all 0 take no part; 0 where no anchor does.
    """
    total = weight.sum(dim=-1)
    return anchor_mean((weight * each).sum(dim=-1) / total.clamp(min=_TINY), total > 0)


def info_nce(logits: Tensor, positive: Tensor, negative: Tensor, smoothing: Tensor | None = None) -> Tensor:
    """Return ``(R,)``: cross-entropy of each positive pair against the anchor's negatives, averaged over pairs.

    logits ``(R, M, K)``; positive: weights ``(R, M, K)``; negative: bool ``(R, M, K)``. The denominator of a pair holds
    its own positive and the negatives, no other positive. smoothing ``(R,)``: share of the target spread evenly over
    what stands in the denominator.
    """
    others = logits.masked_fill(~negative, NEVER)
    bottom = torch.logaddexp(logits, others.logsumexp(dim=-1, keepdim=True))
    if smoothing is None:
        return pair_mean(bottom - logits, positive)
    spread = smoothing[:, None, None]
    count = negative.sum(dim=-1, keepdim=True)
    mean = (logits + logits.masked_fill(~negative, 0.0).sum(dim=-1, keepdim=True)) / (1 + count)
    return pair_mean(bottom - (1 - spread) * logits - spread * mean, positive)


def symmetric_weights(positive: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return weights of pairs ``(R, M, M)`` and of views ``(R, M)``, each of sum 1, and which replicates have any.

    The weight of a pair is the mean of both orders, that of a view half the weight of the pairs it is part of, so that
    either side of the pairs has the same mean and variance. All are 0 in a replicate without positives.
    """
    total = positive.sum(dim=(1, 2))
    pairs = (positive + positive.transpose(1, 2)) / (2 * total.clamp(min=_TINY))[:, None, None]
    return pairs, pairs.sum(dim=-1), total > 0
