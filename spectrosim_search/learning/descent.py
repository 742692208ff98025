"""Gradient descent of one network by a loss of its own, outside a stack: AdamW under one cycle on one flat buffer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from spectrosim_search.config.configuration import Optimiser
from spectrosim_search.learning.model import Layout
from spectrosim_search.learning.optimiser import AdamW
from spectrosim_search.learning.parameters import Parameter

__all__ = ["Descent", "Diverged", "starting"]


class Diverged(Exception):
    """A loss or gradient was not finite; the message says when."""


def starting(declared: Mapping[str, Parameter], seed: int, device: torch.device) -> dict[str, Tensor]:
    """Return starting values ``(1, *shape)`` by name, a function of the seed and of what is declared."""
    layout = Layout.of(declared)
    return layout.views(layout.initial([seed], torch.float32).to(device))


class Descent:
    """Values in training. `values` are leaves ``(1, *shape)`` by name; they change with every step."""

    def __init__(
        self, declared: Mapping[str, Parameter], start: Mapping[str, Tensor], settings: Optimiser, steps: int
    ) -> None:
        """Start from `start` ``(1, *shape)`` by name; `steps` is the length of the schedule."""
        layout = Layout.of(declared)
        device = next((v.device for v in start.values()), torch.device("cpu"))
        self._flat = torch.zeros(1, layout.size, device=device)
        for name, view in layout.views(self._flat).items():
            view.copy_(start[name])
        self.values = layout.leaves(self._flat)
        self._gradient = torch.zeros_like(self._flat)
        self._slots = tuple(layout.views(self._gradient).values())
        self._optimiser = AdamW([settings], self._flat, ((0, layout.decayed),), max(1, steps))

    @property
    def taken(self) -> int:
        """Steps taken."""
        return self._optimiser.taken

    def step(self, loss: Tensor) -> None:
        """Move down the gradient of a scalar loss."""
        # what a loss does not read (layers behind the one that is) has a gradient of zero
        found = torch.autograd.grad(loss, tuple(self.values.values()), materialize_grads=True)
        for slot, gradient in zip(self._slots, found):
            slot.copy_(gradient)
        self._optimiser.step(self._flat, self._gradient)

    def epochs(
        self, count: int, batches: Callable[[int], list[Tensor]], loss: Callable[[Tensor, int], Tensor], stop: StopAfter
    ) -> list[float]:
        """Train; return the mean loss of each epoch (counted from 1).

        batches: from an epoch to what `loss` is given with the number of the step. stop: called with epoch and mean
        loss, says whether to stop. Raises Diverged where a loss is not finite.
        """
        curve: list[float] = []
        for epoch in range(1, count + 1):
            total = torch.zeros((), device=self._flat.device)
            given = batches(epoch)
            for batch in given:
                value = loss(batch, self.taken)
                self.step(value)
                total += value.detach()
            curve.append(float(total) / max(1, len(given)))
            if not torch.isfinite(torch.tensor(curve[-1])) or not bool(torch.isfinite(self._flat).all()):
                raise Diverged(f"loss or weights not finite in epoch {epoch}")
            if stop(epoch, curve[-1]):
                break
        return curve

    def found(self) -> dict[str, Tensor]:
        """Return copies of the values ``(1, *shape)``."""
        return {n: v.detach().clone() for n, v in self.values.items()}


StopAfter = Callable[[int, float], bool]
