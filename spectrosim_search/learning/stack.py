"""A stack: replicates of one architecture in one program with a leading axis R."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Component
from spectrosim_search.config.errors import DataError
from spectrosim_search.learning.components import settings_of, varying
from spectrosim_search.learning.model import Model
from spectrosim_search.learning.optimiser import AdamW
from spectrosim_search.learning.order import GroupOrder, PlainOrder, components_of
from spectrosim_search.learning.precision import Precision, compute_dtype, master_dtype
from spectrosim_search.learning.randomness import Stream, seed_words
from spectrosim_search.learning.tasks import ReplicateTask, TrainingData
from spectrosim_search.learning.views import Augmenter, Relations, compare

__all__ = ["Stack", "steps_of", "values_of"]

_INFERENCE_ROWS = 256  # spectra encoded at a time without gradients


def steps_of(task: ReplicateTask) -> int:
    """Return the steps of one epoch: ⌈training size / batch size⌉, or what the task says."""
    if task.steps_per_epoch is not None:
        return task.steps_per_epoch
    return -(-len(task.train) // task.configuration.training.batch_size)


def values_of(
    family: str, components: Sequence[Component], dtype: torch.dtype, device: torch.device
) -> dict[str, Tensor]:
    """Return the settings that may differ between replicates as tensors ``(R,)``."""
    settings = [varying(settings_of(family, c)) for c in components]
    return {n: torch.tensor([s[n] for s in settings], dtype=dtype, device=device) for n in settings[0]}


class Stack:
    """State of replicates in training. Rows of the data sets in use lie behind each other on the device."""

    def __init__(
        self,
        tasks: Sequence[ReplicateTask],
        data: Mapping[str, TrainingData],
        device: torch.device,
        precision: Precision,
    ) -> None:
        """Lay out data and parameters. All tasks share a stack key, a length of spectra and the steps of an epoch."""
        self.tasks = list(tasks)
        first = tasks[0].configuration
        used = sorted({t.data for t in tasks})
        self.device, self.master = device, master_dtype(precision)
        self.model = Model(first, data[used[0]].spectra.shape[1])
        self.compute = compute_dtype(precision, device, self.model.width)
        self._training, self._positives = first.training, first.positives
        self.steps = steps_of(tasks[0])
        starts = np.cumsum([0, *(data[k].spectra.shape[0] for k in used)])
        self._first = [int(starts[used.index(t.data)]) for t in tasks]
        self._order = [self._ordered(t, data[t.data]) for t in tasks]
        known = {
            i: (torch.from_numpy(np.ascontiguousarray(relation)).to(device), int(starts[i]))
            for i, k in enumerate(used)
            if (relation := data[k].relation) is not None
        }
        codes = torch.cat([torch.from_numpy(np.asarray(data[k].groups, dtype=np.int64)) for k in used]).to(device)
        self._relations = Relations(codes, known, [used.index(t.data) for t in tasks])
        self._look_up = first.positives.source != "views" or bool(known)
        spectra = [torch.from_numpy(np.asarray(data[k].spectra)).to(self.master) for k in used]
        self.spectra = (spectra[0] if len(spectra) == 1 else torch.cat(spectra)).to(device)
        self.axis = torch.stack([torch.from_numpy(np.asarray(data[t.data].axis)) for t in tasks]).to(
            device, self.master
        )
        configurations = [t.configuration for t in tasks]
        self._augment = Augmenter(configurations)
        self.values = {
            "encoders": values_of("encoders", [c.encoder for c in configurations], self.master, device),
            "heads": values_of("heads", [c.head for c in configurations], self.master, device),
            "objectives": values_of("objectives", [c.objective for c in configurations], self.master, device),
            "positives": {
                "group_weight": torch.tensor(
                    [c.positives.group_weight if c.positives.source == "both" else 1.0 for c in configurations],
                    dtype=self.master,
                    device=device,
                )
            },
        }
        self._objective = registry.load("learning.objectives", first.objective.type).loss
        self._seeds = torch.tensor([seed_words(t.seed) for t in tasks], dtype=torch.int32, device=device)
        self.parameters = self.model.initial([t.seed for t in tasks], self.master, device)
        self.alive = torch.ones(len(tasks), dtype=torch.bool, device=device)
        total = self.steps * first.training.epochs
        self._optimiser = AdamW([c.optimiser for c in configurations], self.parameters, self.model.decayed, total)
        self._bind()

    def _ordered(self, task: ReplicateTask, data: TrainingData) -> PlainOrder | GroupOrder:
        count = task.train.shape[0]
        if count < 2:
            raise DataError(f"replicate {task.key}: {count} training spectra, at least 2 are needed")
        if self._positives.source == "views":
            return PlainOrder(count)
        if data.relation is not None:
            groups = components_of(data.relation[np.ix_(task.train, task.train)])
        else:
            codes = data.groups[task.train]
            groups = np.where(codes < 0, codes.max(initial=0) + 1 + np.arange(count), codes)
        return GroupOrder(groups, self._positives.spectra_per_group)

    def _bind(self) -> None:
        """Make leaves of the encoder's compute copy and of the head, and places for their gradients."""
        split = self.model.encoder.size
        self._constants: dict[str, Tensor] = {}
        self._gradient = torch.zeros_like(self.parameters)
        self._mixed = self.compute != self.master
        self._copy = self.parameters[:, :split].to(self.compute) if self._mixed else self.parameters[:, :split]
        self._encoder = self.model.encoder.leaves(self._copy)
        self._head = self.model.head.leaves(self.parameters[:, split:])
        self._slots = tuple(self.model.named(self._gradient).values())

    def plan(self, epoch: int) -> Tensor:
        """Return the rows of an epoch's batches ``(steps, R, B)`` on the device."""
        slots = self.steps * self._training.batch_size
        chosen = [t.train[o.plan(t.seed, epoch, slots)] + f for t, o, f in zip(self.tasks, self._order, self._first)]
        table = np.stack(chosen).reshape(len(chosen), self.steps, self._training.batch_size)
        return torch.from_numpy(table).to(self.device).transpose(0, 1).contiguous()

    def loss(self, rows: Tensor, step: int) -> Tensor:
        """Return the loss of each replicate ``(R,)`` on a batch of rows ``(R, B)``."""
        source = self._positives.source
        with torch.no_grad():
            stream = Stream.at(self._seeds, step)
            shown = rows if source == "groups" else torch.cat([rows, rows], dim=1)
            x = self.spectra[shown]
            x = self._augment(x, stream)
            relation = self._relations(rows) if self._look_up else None
            positive, negative = compare(rows, relation, source, self.values["positives"]["group_weight"])
        outputs = self.model.forward(self._encoder, self._head, x, self.axis, self.values, stream, self._constants)
        # training always acts on the head's output; `similarity` decides what is compared afterwards
        loss: Tensor = self._objective(outputs[1], positive, negative, self.values["objectives"])
        return loss

    def gradient(self, rows: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Return losses ``(R,)`` and gradients ``(R, P)``; the latter is overwritten by the next call."""
        loss = self.loss(rows, step)
        leaves = (*self._encoder.values(), *self._head.values())
        # copied rather than accumulated: nothing to set to zero, and the same pass brings them to the master type
        for slot, gradient in zip(self._slots, torch.autograd.grad(loss.sum(), leaves)):
            slot.copy_(gradient)
        return loss.detach(), self._gradient

    def step(self, rows: Tensor, step: int) -> Tensor:
        """Train on one batch; return the losses ``(R,)``. Marks replicates whose loss or gradient is not finite."""
        loss, gradient = self.gradient(rows, step)
        norm = self._optimiser.step(self.parameters, gradient)
        if self._mixed:
            self._copy.copy_(self.parameters[:, : self.model.encoder.size])
        self.alive &= torch.isfinite(loss) & torch.isfinite(norm)
        return loss

    def epoch(self, number: int) -> Tensor:
        """Train one epoch (counted from 1); return mean losses ``(R,)``."""
        total = torch.zeros(len(self.tasks), dtype=self.master, device=self.device)
        for index, rows in enumerate(self.plan(number)):
            total += self.step(rows, (number - 1) * self.steps + index)
        return total / self.steps

    @torch.no_grad()
    def outputs(self, rows: Tensor) -> Tensor:
        """Return what similarity compares, ``(R, V, D)``, for each replicate's own row numbers ``(R, V)``."""
        first = torch.tensor(self._first, device=self.device).unsqueeze(1)
        pieces = []
        for part in torch.split(rows + first, _INFERENCE_ROWS, dim=1):
            x = self.spectra[part]
            outputs = self.model.forward(self._encoder, self._head, x, self.axis, self.values, None, self._constants)
            pieces.append(self.model.similar(outputs))
        return torch.cat(pieces, dim=1)

    def keep(self, rows: list[int]) -> None:
        """Shrink to the replicates `rows`."""
        self.tasks = [self.tasks[r] for r in rows]
        self._first, self._order = [self._first[r] for r in rows], [self._order[r] for r in rows]
        self._seeds, self.axis, self.alive = self._seeds[rows], self.axis[rows], self.alive[rows]
        self.parameters = self.parameters[rows]
        self.values = {f: {n: v[rows] for n, v in own.items()} for f, own in self.values.items()}
        for part in (self._augment, self._relations, self._optimiser):
            part.keep(rows)
        self._bind()
