"""Other training spectra of the same group, for views that mix them in."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Partners"]


class Partners:
    """For each replicate, which rows share a group among its training rows."""

    def __init__(
        self, rows: Sequence[NDArray[np.int64]], groups: Sequence[NDArray[np.int64]], device: torch.device
    ) -> None:
        """Prepare for training rows ``(n,)`` and their group codes ``(n,)`` of each replicate."""
        low = [int(r.min()) for r in rows]
        width = max(int(r.max()) - a + 1 for r, a in zip(rows, low))
        longest = max(r.shape[0] for r in rows)
        order = np.zeros((len(rows), longest), dtype=np.int64)
        table = np.zeros((3, len(rows), width), dtype=np.int64)  # first place of the row's group, its size, own place
        for i, (own, codes) in enumerate(zip(rows, groups)):
            by_group = np.argsort(codes, kind="stable")
            _, first, size = np.unique(codes[by_group], return_index=True, return_counts=True)
            order[i, : own.shape[0]] = own[by_group]
            local = own[by_group] - low[i]
            table[:, i, local] = np.repeat(first, size), np.repeat(size, size), np.arange(own.shape[0])
        self._low = torch.tensor(low, device=device).unsqueeze(1)
        self._order = torch.from_numpy(order).to(device)
        self._table = torch.from_numpy(table).to(device)

    def keep(self, rows: list[int]) -> None:
        """Drop all replicates but `rows`."""
        self._low, self._order, self._table = self._low[rows], self._order[rows], self._table[:, rows]

    def draw(self, rows: Tensor, uniform: Tensor) -> Tensor:
        """Return for rows ``(R, M)`` another row of the same group each, the row itself where there is none.

        uniform: numbers in [0, 1) ``(R, M)`` that choose.
        """
        index = (rows - self._low).unsqueeze(0).expand(3, -1, -1)
        first, size, own = self._table.gather(2, index)
        others = (size - 1).clamp(min=1)
        step = 1 + (uniform * others).long().clamp(max=others - 1)
        place = torch.where(size > 1, first + (own - first + step) % size, own)
        return self._order.gather(1, place)
