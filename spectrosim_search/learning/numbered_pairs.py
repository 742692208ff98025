"""Known pairs of training spectra, numbered without being listed, and the batches of an epoch drawn from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.learning.randomness import Stream

__all__ = ["KnownPairs", "NumberedPairs", "PairBatch", "plan"]

IntArray = NDArray[np.int64]
_DRAW, _SHUFFLE, _JITTER, _TURN = 0, 1, 2, 3  # uses of an epoch's stream, for positives; negatives have the next four
_NEGATIVES = 4


@dataclass(frozen=True, eq=False)
class NumberedPairs:
    """`count` pairs; `at` gives the places ``(m,)``, ``(m,)`` of those with the numbers ``(m,)``."""

    count: int
    at: Callable[[IntArray], tuple[IntArray, IntArray]]


@dataclass(frozen=True, eq=False)
class KnownPairs:
    """Pairs of training spectra known to be the same, and known to be different; places count training rows."""

    positive: NumberedPairs
    negative: NumberedPairs

    @classmethod
    def of_groups(cls, groups: NDArray[np.integer]) -> KnownPairs:
        """All pairs of spectra with a group, codes ``(n,)``; a code below 0 means that the group is not known."""
        known = np.flatnonzero(groups >= 0)
        order = known[np.argsort(groups[known], kind="stable")]
        _, start, size = np.unique(groups[order], return_index=True, return_counts=True)
        place, end = np.arange(order.size), np.repeat(start + size, size)
        return cls(_behind(order, place + 1, end), _behind(order, end, np.full(order.size, order.size)))

    @classmethod
    def of_relation(cls, relation: NDArray[np.int8]) -> KnownPairs:
        """Those of a relation ``(n, n)`` of the training rows: 1 same, 0 different, anything else not known."""
        return cls(*(_listed(*np.nonzero(np.triu(relation == value, 1))) for value in (1, 0)))


def _behind(order: IntArray, first: IntArray, last: IntArray) -> NumberedPairs:
    """Pairs of each place of `order` with the places `first` … `last` - 1, numbered row by row."""
    before = np.concatenate([[0], np.cumsum(last - first)])

    def at(numbers: IntArray) -> tuple[IntArray, IntArray]:
        row = np.searchsorted(before, numbers, side="right") - 1
        return order[row], order[first[row] + numbers - before[row]]

    return NumberedPairs(int(before[-1]), at)


def _listed(left: IntArray, right: IntArray) -> NumberedPairs:
    return NumberedPairs(left.size, lambda numbers: (left[numbers], right[numbers]))


@dataclass(frozen=True, eq=False)
class PairBatch:
    """Places in the training rows; `weight` of a pair in a mean over the batch balances the two classes."""

    left: IntArray  # (B,)
    right: IntArray  # (B,)
    positive: NDArray[np.bool_]  # (B,)
    weight: NDArray[np.float64]  # (B,)


def plan(
    pairs: KnownPairs, seed: int, epoch: int, *, batch_size: int, most_batches: int, negatives: float
) -> list[PairBatch]:
    """Batches of one epoch, a function of (seed, epoch) and the pairs alone; every epoch has as many.

    All positives, and `negatives` times as many negatives or all of them, as long as that fits `most_batches` batches;
    positives take at most half of that. Where a class does not fit, its pairs are drawn anew for each epoch, with
    replacement. Both classes are spread evenly over the batches. The orientation of each pair is drawn.
    """
    stream = Stream.of_seeds([seed], epoch, purpose="order")
    most = batch_size * most_batches
    same = min(pairs.positive.count, most // 2)
    different = max(1, int(min(pairs.negative.count, negatives * same, most - same)))
    total = same + different
    drawn = [_drawn(pairs.positive, same, stream, 0), _drawn(pairs.negative, different, stream, _NEGATIVES)]
    left, right, place = (np.concatenate([d[part] for d in drawn]) for part in range(3))
    positive = np.arange(total) < same
    weight = np.where(positive, total / (2 * same), total / (2 * different))
    order = np.argsort(place, kind="stable")
    batches = np.array_split(order, -(-total // batch_size))
    return [PairBatch(left[b].astype(np.int64), right[b].astype(np.int64), positive[b], weight[b]) for b in batches]


def _drawn(
    pairs: NumberedPairs, wanted: int, stream: Stream, use: int
) -> tuple[IntArray, IntArray, NDArray[np.float64]]:
    """Left and right places of `wanted` pairs and their places in the epoch, 0 to 1."""
    numbers = np.arange(wanted)
    if wanted < pairs.count:
        words = stream.words(use + _DRAW, 2 * wanted)[0].numpy().view(np.uint32).astype(np.uint64).reshape(2, -1)
        share = ((words[0] << np.uint64(21)) | (words[1] >> np.uint64(11))) * 2.0**-53
        numbers = (share * pairs.count).astype(np.int64)
    left, right = pairs.at(numbers)
    turned = stream.words(use + _TURN, wanted)[0].numpy() < 0
    rank = np.argsort(np.argsort(stream.words(use + _SHUFFLE, wanted)[0].numpy(), kind="stable"), kind="stable")
    place = (rank + stream.uniform(use + _JITTER, wanted)[0].double().numpy()) / max(wanted, 1)
    return np.where(turned, right, left), np.where(turned, left, right), place
