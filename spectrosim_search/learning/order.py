"""Which spectra meet in which batch: the index plan of an epoch, made on the host for each replicate alone.

All batches are full. A plan is a function of (seed, epoch) and the replicate's own training rows, nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spectrosim_search.learning.randomness import Stream, uniform_of

__all__ = ["Draws", "GroupOrder", "PlainOrder", "components_of"]

IntArray = NDArray[np.int64]
_USES = 64  # passes over the training set with keys of their own within one epoch's first stream


class Draws:
    """What replicates draw for the passes of one epoch: hashed for all of them at once where one asks for it.

    Hashing a few numbers costs calls, not arithmetic, so a stack's orders share them.
    """

    def __init__(self, seeds: Sequence[int], epoch: int) -> None:
        """Prepare for the seeds of the replicates of a stack, and an epoch."""
        self._seeds, self._epoch = seeds, epoch
        self._streams: dict[int, Stream] = {}
        self._words: dict[tuple[int, int], NDArray[np.int32]] = {}

    def words(self, place: int, number: int, use: int, count: int) -> NDArray[np.int32]:
        """Words ``(count,)`` of the replicate at a place for a use in a pass."""
        known = self._words.get((number, use))
        if known is None or known.shape[1] < count:  # the first words of a longer row are those of a shorter one
            known = self._stream(number // _USES).words(use, count).numpy()
            self._words[number, use] = known
        return known[place, :count]

    def permutation(self, place: int, number: int, count: int) -> IntArray:
        """A permutation of ``range(count)`` for the replicate at a place: the order of hashed keys."""
        return self.words(place, number, number % _USES, count).argsort(kind="stable")

    def uniform(self, place: int, number: int, use: int, count: int) -> NDArray[np.float64]:
        """Numbers in [0, 1) ``(count,)``, as :meth:`Stream.uniform` has them."""
        return uniform_of(torch.from_numpy(self.words(place, number, use, count))).double().numpy()

    def _stream(self, part: int) -> Stream:
        if part not in self._streams:
            self._streams[part] = Stream.of_seeds(self._seeds, self._epoch * 4096 + part, purpose="order")
        return self._streams[part]


@dataclass(frozen=True, eq=False)
class PlainOrder:
    """Permutations of `count` training spectra, one behind the other (source "views")."""

    count: int

    def plan(self, seed: int, epoch: int, slots: int) -> IntArray:
        """Return `slots` positions in the training rows; each pass is a new permutation, the last one cut."""
        return self.plan_of(Draws([seed], epoch), 0, slots)

    def plan_of(self, draws: Draws, place: int, slots: int) -> IntArray:
        """The same for the replicate at a place of a stack."""
        passes = [draws.permutation(place, number, self.count) for number in range(-(-slots // self.count))]
        return np.concatenate(passes)[:slots]


class GroupOrder:
    """A P × K sampler: K spectra of a group behind each other, groups in random order (sources "groups" and "both").

    A group of n spectra is visited ⌈n / K⌉ times in a pass, its visits spread evenly over the pass, and each takes the
    next K members of a circular random order; smaller groups give all they have. A chunk may be cut at the end of a
    batch.
    """

    def __init__(self, groups: IntArray, spectra_per_group: int) -> None:
        """Prepare for group codes ``(n,)`` of the training rows."""
        _, self._group = np.unique(groups, return_inverse=True)
        size = np.bincount(self._group)
        visits = -(-size // spectra_per_group)
        self._start = np.cumsum(size) - size
        self._visited = np.repeat(np.arange(size.size), visits)
        self._visit = np.arange(visits.sum()) - np.repeat(np.cumsum(visits) - visits, visits)
        self._visits, self._size, self._per = visits, size, spectra_per_group

    def plan(self, seed: int, epoch: int, slots: int) -> IntArray:
        """Return `slots` positions in the training rows."""
        return self.plan_of(Draws([seed], epoch), 0, slots)

    def plan_of(self, draws: Draws, place: int, slots: int) -> IntArray:
        """The same for the replicate at a place of a stack."""
        passes: list[IntArray] = []
        filled, number = 0, 0
        step = np.arange(self._per)
        while filled < slots:
            use = 2 * (number % _USES)
            members = np.lexsort((draws.words(place, number, use, self._group.size), self._group))
            jitter = draws.uniform(place, number, use + 1, self._visit.size)
            order = np.argsort((self._visit + jitter) / self._visits[self._visited], kind="stable")
            group, visit = self._visited[order, None], self._visit[order, None]
            size = self._size[group]
            chunk = members[self._start[group] + (visit * self._per + step) % size]
            taken = chunk[step < np.minimum(size, self._per)]
            passes.append(taken)
            filled += taken.size
            number += 1
        return np.concatenate(passes)[:slots]


def components_of(relation: NDArray[np.int8]) -> IntArray:
    """Return codes ``(n,)`` of the connected components of the known positives, relation ``(n, n)`` == 1."""
    linked = torch.from_numpy(np.ascontiguousarray(relation == 1))
    linked = linked | linked.T
    codes = torch.arange(linked.shape[0])
    while True:  # each spectrum takes the smallest code it is linked to, until nothing changes
        reached = torch.where(linked, codes, codes.numel()).amin(dim=1).minimum(codes)
        reached = reached[reached]
        if torch.equal(reached, codes):
            return codes.numpy()
        codes = reached
