"""The momentum network of BYOL and MoCo: a slowly moving copy of encoder and head, and the queue it fills.

Grill et al. 2020, eq. 1; He et al. 2020, eq. 2: copy ← m · copy + (1 - m) · network after every step. The copy sees the
same views, without dropout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from spectrosim_search.learning.batch import Keys, Queue
from spectrosim_search.learning.model import Model

__all__ = ["Momentum"]


class Momentum:
    """Copies of a stack's networks ``(R, network)`` in the master type, and their queues if the objective has one."""

    def __init__(self, model: Model, parameters: Tensor, compute: torch.dtype) -> None:
        """Start as the networks themselves."""
        self._model, self._compute = model, compute
        self._values = parameters[:, : model.network].clone()
        self._keys = Keys(parameters.shape[0], model.places, parameters.device) if model.places else None
        self._seen: Tensor | None = None

    @torch.no_grad()
    def project(
        self,
        x: Tensor,
        axis: Tensor,
        values: Mapping[str, Mapping[str, Tensor]],
        fitted: Mapping[str, Tensor],
        constants: dict[str, Tensor],
    ) -> Tensor:
        """Return projections ``(R, M, D)`` of the views x ``(R, M, L)``."""
        split = self._model.encoder.size
        encoder = self._model.encoder.views(self._values[:, :split].to(self._compute))
        head = self._model.head.views(self._values[:, split:])
        self._seen = self._model.forward({**encoder, **fitted}, head, x, axis, values, None, constants)[1]
        return self._seen

    @torch.no_grad()
    def queue(self, like: Tensor, relate: Callable[[Tensor], tuple[Tensor, Tensor]]) -> Queue | None:
        """Return the queue before this batch, None where the objective keeps none; see :meth:`Keys.read`."""
        return None if self._keys is None else self._keys.read(like, relate)

    @torch.no_grad()
    def move(self, parameters: Tensor, momentum: Tensor, rows: Tensor) -> None:
        """Follow the networks after a step, and queue what the last batch's rows ``(R, B)`` were projected to.

        One view of each spectrum is queued, the last one. momentum: ``(R,)``.
        """
        if self._keys is not None and self._seen is not None:
            self._keys.push(self._seen[:, -rows.shape[1] :], rows)
        target = parameters[:, : self._model.network]
        self._values.lerp_(target, (1 - momentum).to(target.dtype).unsqueeze(1))

    def keep(self, rows: list[int]) -> None:
        """Drop all replicates but `rows`."""
        self._values, self._seen = self._values[rows], None
        if self._keys is not None:
            self._keys.keep(rows)
