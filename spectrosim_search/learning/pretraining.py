"""Encoders trained without classes: by recognising transformations, or by a contrastive objective of the zoo.

Both see the rows they are given and nothing else. The paper's schedule is 100 epochs of all seven versions of each
spectrum in batches of 32, Adam at 1e-4.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.classifier import apply_heads, declare_heads
from spectrosim_search.learning.descent import Descent, Diverged, starting
from spectrosim_search.learning.engine import train_stack
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.order import PlainOrder
from spectrosim_search.learning.pretext import TRANSFORMATIONS, Pretext, pretext_loss, transform
from spectrosim_search.learning.randomness import RowStream, Stream, seed_words
from spectrosim_search.learning.tasks import ReplicateTask, TrainingData
from spectrosim_search.learning.trunk import Trunk

__all__ = ["Pretrained", "Unlabelled", "pretrain_contrastive", "pretrain_transformations", "untrained"]

_KIND_USE = 255  # randomness of an epoch that says which version of a spectrum comes first
_PREFIX = "pretext."
_ROWS_AT_ONCE = 256

Stop = Callable[[int, float], bool]


@dataclass(frozen=True, eq=False)
class Unlabelled:
    """Spectra to pretrain on ``(n, L)``, their axis ``(L,)`` and group codes ``(n,)``, -1 where none may be known.

    Codes tell an encoder or objective that asks for groups which spectra count as the same: here, of one class.
    """

    spectra: NDArray[np.float32]
    axis: NDArray[np.float64]
    groups: NDArray[np.int64]

    def fitting(self) -> Fitting:
        """What an encoder may fit on: spectra without a group have a code of their own."""
        own = self.groups.max(initial=-1) + 1 + np.arange(self.groups.size)
        return Fitting(self.spectra, np.where(self.groups < 0, own, self.groups), self.axis)


@dataclass(frozen=True, eq=False)
class Pretrained:
    """An encoder's tensors ``(1, *shape)`` by name, fitted ones among them, the loss of each epoch and what it can do.

    recognition: share of fresh versions of its spectra that are recognised, over all and by kind; empty where nothing
    was asked.
    """

    encoder: dict[str, Tensor]
    loss: list[float]
    recognition: dict[str, float]


def untrained(trunk: Trunk, data: Unlabelled, seed: int, device: torch.device) -> Pretrained:
    """Return the encoder as it starts."""
    fitted = {n: v.to(device) for n, v in trunk.fit(data.fitting()).items()}
    return Pretrained(starting(trunk.parameters(), seed, device) | fitted, [], {})


class _Recognition:
    """The pretext network in training."""

    def __init__(
        self,
        configuration: Configuration,
        trunk: Trunk,
        data: Unlabelled,
        seed: int,
        pretext: Pretext,
        shape: tuple[int, float],
        device: torch.device,
    ) -> None:
        self.trunk, self.pretext, self._seed = trunk, pretext, seed
        self._hidden, self._dropout = shape
        self._x = torch.from_numpy(data.spectra).to(device)
        self._axis = torch.from_numpy(data.axis).to(device, torch.float32).unsqueeze(0)
        self.spread = self._x.std()
        words = [[seed_words(seed, "step"), seed_words(seed, "views")]]
        self._words = torch.tensor(words, dtype=torch.int32, device=device)
        self._fitted = {n: v.to(device) for n, v in trunk.fit(data.fitting()).items()}
        heads = declare_heads(trunk.size, self._hidden, 1, pretext.heads, _PREFIX)
        declared = trunk.parameters() | heads
        self._batch = configuration.training.batch_size
        slots = self._x.shape[0] * pretext.versions
        self._steps = -(-slots // self._batch)
        start = starting(trunk.parameters(), seed, device) | starting(heads, seed, device)
        total = self._steps * configuration.training.epochs
        self.descent = Descent(declared, start, configuration.optimiser, total)

    def plan(self, epoch: int) -> list[Tensor]:
        """Return the batches of an epoch, rows and kinds ``(2, B)``: versions of a spectrum differ, as far as they
        can."""
        count = self._x.shape[0]
        slots = self._steps * self._batch
        rows = PlainOrder(count).plan(self._seed, epoch, slots)
        stream = Stream.of_seeds([self._seed], epoch * 4096, purpose="order")
        first = stream.words(_KIND_USE, count)[0].numpy().astype(np.int64)
        number = (first[rows] + np.arange(slots) // count) % self.pretext.heads
        kinds = np.array((0, *self.pretext.kinds), dtype=np.int64)[number]
        both = torch.from_numpy(np.stack([rows, kinds])).to(self._x.device)
        return list(torch.split(both, self._batch, dim=1))

    def logits(self, rows: Tensor, kinds: Tensor, step: int, *, training: bool, penalties: list[Tensor]) -> Tensor:
        """Return what the heads say of versions of spectra, rows and kinds ``(B,)``: ``(1, B, heads)``."""
        with torch.no_grad():
            random = RowStream(Stream.at(self._words[:, 1], step), rows.shape[0], 0)
            x = transform(self._x[rows].unsqueeze(0), kinds.unsqueeze(0), self.pretext, self.spread, random)
        stream = Stream.at(self._words[:, 0], step) if training else None
        p = self.descent.values | self._fitted
        context = self.trunk.context(self._axis, x, stream, 0, penalties)
        h = self.trunk.upper(p, self.trunk.lower(p, x, 0), 0, context)
        return apply_heads(p, h, _PREFIX, self._dropout, stream).permute(2, 1, 0)

    def loss(self, batch: Tensor, step: int) -> Tensor:
        """Return the loss of a batch."""
        penalties: list[Tensor] = []
        logits = self.logits(batch[0], batch[1], step, training=True, penalties=penalties)
        return torch.stack([pretext_loss(logits, batch[1].unsqueeze(0), self.pretext), *penalties]).sum()

    @torch.no_grad()
    def recognition(self) -> dict[str, float]:
        """Show each version of each spectrum once more, drawn anew; say how often the right head is the surest."""
        kinds = torch.tensor((0, *self.pretext.kinds), device=self._x.device)
        count = self._x.shape[0]
        right: dict[str, float] = {}
        for place, kind in enumerate(kinds.tolist()):
            hits = 0
            for at in range(0, count, _ROWS_AT_ONCE):
                rows = torch.arange(at, min(count, at + _ROWS_AT_ONCE), device=self._x.device)
                step = -1 - at - count * place  # steps of training count from 0
                told = self.logits(rows, torch.full_like(rows, kind), step, training=False, penalties=[])
                hits += int((told[0].argmax(dim=-1) == place).sum())
            right["raw" if kind == 0 else TRANSFORMATIONS[kind - 1]] = hits / count
        return {"all": float(np.mean(list(right.values()))), **right}

    def encoder(self) -> dict[str, Tensor]:
        """Return the encoder's tensors ``(1, *shape)``."""
        return {n: v for n, v in self.descent.found().items() if not n.startswith(_PREFIX)} | self._fitted


def pretrain_transformations(
    configuration: Configuration,
    trunk: Trunk,
    data: Unlabelled,
    seed: int,
    pretext: Pretext,
    shape: tuple[int, float],
    device: torch.device,
    stop: Stop,
) -> Pretrained:
    """Train an encoder to tell how its spectra were changed; epochs, batch size and optimiser are the configuration's.

    shape: hidden features and dropout of the heads. Raises Diverged.
    """
    run = _Recognition(configuration, trunk, data, seed, pretext, shape, device)
    curve = run.descent.epochs(configuration.training.epochs, run.plan, run.loss, stop)
    return Pretrained(run.encoder(), curve, run.recognition())


def pretrain_contrastive(
    configuration: Configuration, data: Unlabelled, seed: int, device: torch.device, stop: Stop
) -> Pretrained:
    """Train encoder and head by the configuration's objective, views and positives; the encoder is kept.

    Positives from groups are spectra of one class, as far as classes are known. Raises Diverged.
    """
    alone = dataclasses.replace(
        configuration, program=None, training=dataclasses.replace(configuration.training, members=1)
    )
    task = ReplicateTask(
        key="pretraining",
        configuration=alone,
        seed=seed,
        data="spectra",
        train=np.arange(data.groups.size, dtype=np.int64),
        halves=None,
        return_parameters=True,
    )
    told = {"spectra": TrainingData(data.spectra, data.axis, data.groups)}
    result = train_stack([task], told, device=str(device), on_epoch=lambda _, epoch, loss: stop(epoch, loss))[0]
    if result.status == "diverged":
        raise Diverged(result.reason)
    encoder = {
        n.removeprefix("encoder."): torch.from_numpy(np.asarray(v)).to(device).unsqueeze(0)
        for n, v in result.parameters.items()
        if n.startswith("encoder.")
    }
    return Pretrained(encoder, [float(v) for v in result.loss], {})
