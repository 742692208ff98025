"""What an objective is given: the projections of a batch's views and which of them count as the same.

Legend: R replicates, M views, D features, Q places of a queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Batch", "Keys", "Queue"]


@dataclass(frozen=True, eq=False)
class Queue:
    """Earlier projections of the momentum network: z ``(R, Q, D)`` and how the batch's views relate to them.

    positive: weights ``(R, M, Q)``; negative: bool ``(R, M, Q)``. A place not filled yet and a place that holds the
    anchor's own spectrum are neither.
    """

    z: Tensor
    positive: Tensor
    negative: Tensor


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch after the network.

    z: projections ``(R, M, D)``. positive: weights ``(R, M, M)``, 0 where a view is no positive of the anchor.
    negative: bool ``(R, M, M)``. Views that are neither take no part. target: projections of the same views by the
    momentum network ``(R, M, D)``, without gradient, for objectives that ask for one. queue: for those that keep one.
    """

    z: Tensor
    positive: Tensor
    negative: Tensor
    target: Tensor | None = None
    queue: Queue | None = None


class Keys:
    """The queue of each replicate (He et al. 2020, §3.2): newest projections first, with the rows they came from."""

    def __init__(self, replicates: int, places: int, device: torch.device) -> None:
        """Start empty; row -1 is a place not filled."""
        self._places = places
        self._rows = torch.full((replicates, places), -1, dtype=torch.int64, device=device)
        self._z: Tensor | None = None

    def read(self, like: Tensor, relate: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Queue:
        """Return the queue beside projections `like` ``(R, M, D)``.

        `relate` gives weights of positives and the mask of negatives ``(R, M, Q)`` for row numbers ``(R, Q)``.
        """
        if self._z is None:
            self._z = like.new_zeros(like.shape[0], self._places, like.shape[2])
        filled = (self._rows >= 0).unsqueeze(1)
        positive, negative = relate(self._rows.clamp(min=0))
        return Queue(self._z, positive * filled, negative & filled)

    def push(self, z: Tensor, rows: Tensor) -> None:
        """Put projections z ``(R, B, D)`` of rows ``(R, B)`` in front; the oldest fall out."""
        assert self._z is not None
        self._z = torch.cat([z.to(self._z.dtype), self._z], dim=1)[:, : self._places]
        self._rows = torch.cat([rows, self._rows], dim=1)[:, : self._places]

    def keep(self, rows: list[int]) -> None:
        """Drop all replicates but `rows`."""
        self._rows = self._rows[rows]
        if self._z is not None:
            self._z = self._z[rows]
