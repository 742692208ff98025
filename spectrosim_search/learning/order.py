"""Which spectra meet in which batch: the index plan of an epoch, made on the host for each replicate alone.

All batches are full. A plan is a function of (seed, epoch) and the replicate's own training rows, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from spectrosim_search.learning.randomness import Stream, permutations

__all__ = ["GroupOrder", "PlainOrder", "components_of"]

IntArray = NDArray[np.int64]
_USES = 64  # passes over the training set with keys of their own within one epoch's first stream


def _stream(seed: int, epoch: int, batch: int) -> Stream:
    return Stream.of_seeds([seed], epoch * 4096 + batch // _USES, purpose="order")


@dataclass(frozen=True, eq=False)
class PlainOrder:
    """Permutations of `count` training spectra, one behind the other (source "views")."""

    count: int

    def plan(self, seed: int, epoch: int, slots: int) -> IntArray:
        """Return `slots` positions in the training rows; each pass is a new permutation, the last one cut."""
        passes = []
        for number in range(-(-slots // self.count)):
            stream = _stream(seed, epoch, number)
            passes.append(permutations(stream, number % _USES, self.count)[0].numpy())
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
        passes: list[IntArray] = []
        filled, number = 0, 0
        step = np.arange(self._per)
        while filled < slots:
            stream, use = _stream(seed, epoch, number), 2 * (number % _USES)
            shuffled = stream.words(use, self._group.size)[0].numpy()
            members = np.lexsort((shuffled, self._group))
            jitter = stream.uniform(use + 1, self._visit.size)[0].double().numpy()
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
