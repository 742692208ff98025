"""Scores of many replicates at once: area under the ROC curve over all pairs or inside strata, and what needs no label.

Matched-label AUC compares a positive pair with negative pairs of the same stratum (unordered label pair) only; strata
are averaged by their positives and strata that lack either kind are skipped.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["alignment", "auc", "effective_rank", "uniformity", "usable_strata"]


def auc(similarity: Tensor, positive: Tensor, stratum: Tensor, strata: int) -> Tensor:
    """Return the AUC of each row, float64 ``(Q,)``; NaN where no stratum holds both kinds. Ties count half.

    similarity: ``(Q, P)``, finite. positive: bool ``(Q, P)``. stratum: int64 ``(Q, P)`` below `strata`;
    pairs whose stratum is `strata` are left out. Found from mid-ranks (Mann and Whitney 1947), all strata in one.
    """
    rows, pairs = similarity.shape
    if pairs == 0:
        return similarity.new_full((rows,), float("nan"), dtype=torch.float64)
    inside = similarity.argsort(dim=-1)
    order = inside.gather(-1, stratum.gather(-1, inside).argsort(dim=-1, stable=True))
    key, kind, place = (values.gather(-1, order) for values in (similarity, positive, stratum))
    index = torch.arange(pairs, device=key.device).expand(rows, pairs)
    start = torch.ones_like(kind)
    start[:, 1:] = (key[:, 1:] != key[:, :-1]) | (place[:, 1:] != place[:, :-1])
    first = torch.where(start, index, 0).cummax(dim=-1).values
    end = torch.ones_like(kind)
    end[:, :-1] = start[:, 1:]
    last = torch.where(end, index, pairs).flip(-1).cummin(dim=-1).values.flip(-1)
    rank = (first + last).double() / 2 + 1  # counted over all strata below too; their sizes are taken off again
    count = torch.zeros(3, rows, strata + 1, dtype=torch.float64, device=key.device)
    up = kind.double()
    for slot, amount in enumerate((up, 1 - up, up * rank)):
        count[slot].scatter_add_(1, place, amount)
    positives, negatives, ranks = count[:, :, :strata]
    both = positives + negatives
    below = both.cumsum(dim=-1) - both
    wins = ranks - positives * below - positives * (positives + 1) / 2
    share = torch.where(negatives > 0, wins / negatives.clamp(min=1), 0.0)  # AUC of a stratum x its positives
    counted = torch.where(negatives > 0, positives, 0.0).sum(dim=-1)
    return torch.where(counted > 0, share.sum(dim=-1) / counted.clamp(min=1), torch.nan)


def usable_strata(positive: NDArray[np.bool_], stratum: NDArray[np.int64], metric: str) -> NDArray[np.int64]:
    """Return strata numbered from 0, -1 for pairs that do not count, for one set of pairs ``(P,)``.

    For the metric "matched_auc" only strata with positives and negatives count; where there is none, and for "auc", all
    pairs are one stratum.
    """
    if metric == "matched_auc":
        good = np.intersect1d(stratum[positive], stratum[~positive])
        good = good[good >= 0]
        if good.size:
            place = np.searchsorted(good, stratum).clip(max=good.size - 1)
            return np.where(good[place] == stratum, place, -1).astype(np.int64)
    return np.zeros(stratum.shape[0], dtype=np.int64)


def effective_rank(z: Tensor) -> Tensor:
    """Return the effective rank of embeddings z ``(R, M, D)``, ``(R,)``: exp(entropy of the shares of singular values).

    Roy and Vetterli 2007. Rows are brought to unit length and not centred: a collapse onto one vector shows as 1.
    """
    unit = torch.nn.functional.normalize(z.float(), dim=-1, eps=1e-8)
    values = torch.linalg.svdvals(unit)
    share = values / values.sum(dim=-1, keepdim=True).clamp(min=1e-12)
    rank: Tensor = torch.special.entr(share).sum(dim=-1).exp()
    return rank


def alignment(z: Tensor, other: Tensor) -> Tensor:
    """Return the mean squared distance of two views' embeddings ``(R, M, D)`` on the unit sphere, ``(R,)``; 0 is best.

    Wang and Isola 2020, eq. 1 with exponent 2.
    """
    first, second = (torch.nn.functional.normalize(v.float(), dim=-1, eps=1e-8) for v in (z, other))
    return (first - second).square().sum(dim=-1).mean(dim=-1)


def uniformity(z: Tensor) -> Tensor:
    """Return how evenly embeddings z ``(R, M, D)`` lie on the unit sphere, ``(R,)``; lower is better, 0 is a collapse.

    Logarithm of the mean of exp(-2 d²) over all pairs of spectra, d their distance (Wang and Isola 2020, eq. 2 with
    t = 2). NaN below two spectra.
    """
    unit = torch.nn.functional.normalize(z.float(), dim=-1, eps=1e-8)
    left, right = torch.triu_indices(unit.shape[1], unit.shape[1], 1, device=z.device)
    cosine = torch.bmm(unit, unit.transpose(1, 2))[:, left, right]
    return (4 * cosine - 4).exp().mean(dim=-1).log()  # the squared distance of unit vectors is 2 - 2 cosine
