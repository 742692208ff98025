"""A pretrained encoder and a new classifier trained on classes: all of it, its upper blocks, or the classifier alone.

The paper fine-tunes for 250 epochs (Adam, 1e-4, batches of 32) with the classifier on the features of block 3.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.classifier import apply_heads, declare_heads
from spectrosim_search.learning.descent import Descent, starting
from spectrosim_search.learning.fitting import Fitter, training_groups
from spectrosim_search.learning.order import PlainOrder
from spectrosim_search.learning.partners import Partners
from spectrosim_search.learning.randomness import Stream, seed_words
from spectrosim_search.learning.tasks import ReplicateTask, TrainingData
from spectrosim_search.learning.trunk import Trunk
from spectrosim_search.learning.views import Augmenter

__all__ = ["FineTuning", "classify", "fine_tune"]

_PREFIX = "classifier."
_ROWS_AT_ONCE = 256


@dataclass(frozen=True)
class FineTuning:
    """How a classifier is trained on an encoder.

    first: number of the first block that trains, from 0; the encoder's depth: none. augment: spectra are changed by the
    configuration's augmentations.
    """

    first: int = 0
    epochs: int = 60
    learning_rate: float = 1e-3
    batch_size: int = 32
    hidden: int = 64
    dropout: float = 0.5
    augment: bool = False


class _Tuning:
    """A classifier in training on rows of known class."""

    def __init__(
        self,
        configuration: Configuration,
        trunk: Trunk,
        encoder: Mapping[str, Tensor],
        data: TrainingData,
        classes: int,
        seed: int,
        plan: FineTuning,
        steps: int,
        device: torch.device,
    ) -> None:
        self._trunk, self._plan, self._seed, self._steps = trunk, plan, seed, steps
        self._x = torch.from_numpy(data.spectra).to(device)
        self._y = torch.from_numpy(data.groups).to(device)
        self._axis = torch.from_numpy(data.axis).to(device, torch.float32).unsqueeze(0)
        words = [[seed_words(seed, "step"), seed_words(seed, "views")]]
        self._words = torch.tensor(words, dtype=torch.int32, device=device)
        heads = declare_heads(trunk.size, plan.hidden, classes, 1, _PREFIX)
        trained = trunk.parameters(plan.first)
        self.frozen = {n: v for n, v in encoder.items() if n not in trained}
        start = {n: encoder[n] for n in trained} | starting(heads, seed, device)
        optimiser = dataclasses.replace(configuration.optimiser, learning_rate=plan.learning_rate)
        self.descent = Descent(trained | heads, start, optimiser, steps * plan.epochs)
        self._augment: Augmenter | None = None
        if plan.augment and configuration.augmentations:
            rows = np.arange(data.groups.size, dtype=np.int64)
            task = ReplicateTask("tuning", configuration, seed, "spectra", rows, None)
            told = {"spectra": data}
            self._augment = Augmenter([configuration], Fitter([task], told), torch.float32, device)
            self._partners = Partners([rows], [training_groups(task, data)], device)
        self._known: Tensor | None = None
        if self._augment is None:
            with torch.no_grad():
                self._known = self._below(self._x.unsqueeze(0))

    def _below(self, x: Tensor) -> Tensor:
        """Return what the first trained block, or the classifier, reads; reference rows in front."""
        h = self._trunk.lower(self.frozen, x, self._plan.first)
        if self._plan.first < self._trunk.depth:
            return h
        return self._trunk.upper(self.frozen, h, self._plan.first, self._trunk.context(self._axis, x, None, 0, []))

    def batches(self, epoch: int) -> list[Tensor]:
        """Return rows of an epoch's batches ``(B,)``."""
        size = self._plan.batch_size
        rows = PlainOrder(self._x.shape[0]).plan(self._seed, epoch, self._steps * size)
        return list(torch.split(torch.from_numpy(rows).to(self._x.device), size))

    def loss(self, rows: Tensor, step: int) -> Tensor:
        """Return the cross-entropy of a batch."""
        x = self._x[rows].unsqueeze(0)
        own = self._plan.first < self._trunk.depth  # some block trains
        references = self._trunk.references if own else 0
        if self._known is not None:
            front = torch.arange(references, device=rows.device)
            h = self._known[:, torch.cat([front, references + rows])]
        else:
            with torch.no_grad():
                x = self._changed(x, rows, step)
                h = self._below(x)
        stream = Stream.at(self._words[:, 0], step)
        penalties: list[Tensor] = []
        p = self.frozen | self.descent.values
        if own:
            h = self._trunk.upper(p, h, self._plan.first, self._trunk.context(self._axis, x, stream, 0, penalties))
        logits = apply_heads(p, h, _PREFIX, self._plan.dropout, stream)[0]
        return torch.stack([F.cross_entropy(logits, self._y[rows]), *(t.sum() for t in penalties)]).sum()

    def _changed(self, x: Tensor, rows: Tensor, step: int) -> Tensor:
        assert self._augment is not None
        stream = Stream.at(self._words[:, 1], step)
        return self._augment(x, stream, self._axis, lambda u: self._x[self._partners.draw(rows.unsqueeze(0), u)])


def fine_tune(
    configuration: Configuration,
    trunk: Trunk,
    encoder: Mapping[str, Tensor],
    data: TrainingData,
    classes: int,
    seed: int,
    plan: FineTuning,
    steps: int,
    device: torch.device,
    stop: Callable[[int, float], bool],
) -> tuple[dict[str, Tensor], list[float]]:
    """Train a classifier of `classes` classes on labelled spectra; return all tensors ``(1, *shape)`` and the curve.

    `data` holds the labelled spectra ``(n, L)`` and, as its groups, their classes ``(n,)``. `steps` are those of an
    epoch. Where nothing is augmented, what blocks that stay give is computed once. Raises Diverged.
    """
    run = _Tuning(configuration, trunk, encoder, data, classes, seed, plan, steps, device)
    curve = run.descent.epochs(plan.epochs, run.batches, run.loss, stop)
    return {**run.frozen, **run.descent.found()}, curve


@torch.no_grad()
def classify(
    trunk: Trunk, p: Mapping[str, Tensor], spectra: NDArray[np.float32], axis: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return probabilities of the classes ``(K, C)`` of preprocessed spectra ``(K, L)``.

    p: what :func:`fine_tune` returned. A spectrum's answer does not depend on the spectra beside it.
    """
    device = next(iter(p.values())).device
    where = torch.from_numpy(axis).to(device, torch.float32).unsqueeze(0)
    classes = p[f"{_PREFIX}layer2.bias"].shape[-1]
    out = np.empty((spectra.shape[0], classes), dtype=np.float32)
    for at in range(0, spectra.shape[0], _ROWS_AT_ONCE):
        rows = np.ascontiguousarray(spectra[at : at + _ROWS_AT_ONCE], dtype=np.float32)
        x = torch.from_numpy(rows).to(device).unsqueeze(0)
        h = trunk.upper(p, trunk.lower(p, x, 0), 0, trunk.context(where, x, None, 0, []))
        out[at : at + _ROWS_AT_ONCE] = apply_heads(p, h, _PREFIX, 0.0, None)[0].softmax(dim=-1).cpu().numpy()
    return out
