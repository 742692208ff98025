"""AdamW under a one-cycle learning rate, on one flat buffer a stack.

Decoupled weight decay: Loshchilov and Hutter 2019, alg. 2. One cycle: Smith and Topin 2019, as torch's `OneCycleLR`
(cosine, from peak / 25 up to the peak, down to peak / 250,000), β₁ kept constant.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from spectrosim_search.config.configuration import Optimiser

__all__ = ["AdamW", "one_cycle"]

_EPSILON = 1e-8


def one_cycle(step: int, total: int, warmup: float) -> float:
    """Return the learning rate of step 0 … total - 1 as a share of its peak."""
    top = max(warmup * total - 1, 0.0)
    low, final = 1 / 25, 1 / 250_000
    if step < top:
        start, end, place = low, 1.0, step / top
    else:
        start, end, place = 1.0, final, (step - top) / max(total - 1 - top, 1)
    return end + (start - end) / 2 * (1 + math.cos(math.pi * min(place, 1.0)))


class AdamW:
    """The state of a stack's optimiser; every setting is per replicate."""

    def __init__(
        self, settings: Sequence[Optimiser], values: Tensor, decayed: Sequence[tuple[int, int]], total: int
    ) -> None:
        """Prepare for parameters `values` ``(R, P)``; `decayed` are ranges of P, `total` the steps of the schedule."""
        self._settings, self._total, self._decayed = list(settings), total, tuple(decayed)
        self.first = torch.zeros_like(values)
        self.second = torch.zeros_like(values)
        self._scratch = torch.empty_like(values)
        self.taken = 0
        self._prepare()

    def _prepare(self) -> None:
        settings = self._settings
        table = [[s.gradient_clip for s in settings], [1 - s.beta1 for s in settings], [1 - s.beta2 for s in settings]]
        self._clip, self._new_first, self._new_second = self._rows(table)

    def _rows(self, numbers: list[list[float]]) -> Tensor:
        return torch.tensor(numbers, dtype=self.first.dtype).to(self.first.device).unsqueeze(-1)

    def step(self, values: Tensor, gradient: Tensor) -> Tensor:
        """Update `values` in place, overwriting `gradient`; return the gradient norms before clipping ``(R,)``."""
        count, settings = self.taken + 1, self._settings
        rate = [s.learning_rate * one_cycle(self.taken, self._total, s.warmup) for s in settings]
        norm: Tensor = torch.linalg.vector_norm(gradient, dim=-1, keepdim=True)
        keep, root, move = self._rows(
            [
                [1 - r * s.weight_decay for r, s in zip(rate, settings)],
                [1 / math.sqrt(1 - s.beta2**count) for s in settings],
                [-r / (1 - s.beta1**count) for r, s in zip(rate, settings)],
            ]
        )
        gradient.mul_((self._clip / (norm + 1e-6)).clamp(max=1.0))
        self.first.lerp_(gradient, self._new_first)
        torch.mul(gradient, gradient, out=self._scratch)
        self.second.lerp_(self._scratch, self._new_second)
        for start, end in self._decayed:
            values[:, start:end].mul_(keep)
        torch.sqrt(self.second, out=self._scratch)
        self._scratch.mul_(root).add_(_EPSILON)
        torch.div(self.first, self._scratch, out=self._scratch)
        self._scratch.mul_(move)
        values.add_(self._scratch)
        self.taken = count
        return norm.squeeze(-1)

    def keep(self, rows: list[int]) -> None:
        """Drop all replicates but `rows`."""
        self._settings = [self._settings[r] for r in rows]
        self.first, self.second = self.first[rows], self.second[rows]
        self._scratch = torch.empty_like(self.first)
        self._prepare()
