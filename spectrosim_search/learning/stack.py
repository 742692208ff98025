"""A stack: replicates of one architecture in one program with a leading axis R."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from spectrosim_search.config.configuration import Component
from spectrosim_search.config.errors import DataError
from spectrosim_search.learning.augmentations._spread import deviation
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.comparison import Comparison
from spectrosim_search.learning.components import settings_of, varying
from spectrosim_search.learning.fitting import Fitter, training_groups
from spectrosim_search.learning.model import Model, joined
from spectrosim_search.learning.momentum import Momentum
from spectrosim_search.learning.optimiser import AdamW
from spectrosim_search.learning.order import Draws, GroupOrder, PlainOrder
from spectrosim_search.learning.partners import Partners
from spectrosim_search.learning.precision import Precision, compute_dtype, master_dtype
from spectrosim_search.learning.randomness import RowStream, Stream, seed_words
from spectrosim_search.learning.tasks import ReplicateTask, TrainingData
from spectrosim_search.learning.views import Augmenter, Relations, compare, relate

__all__ = ["Stack", "member_seed", "steps_of", "values_of"]

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


def member_seed(seed: int, member: int) -> int:
    """Return the seed of one network of an ensemble; the first one's is the replicate's own."""
    return (seed + member * 0x5851F42D4C957F2D) % (1 << 63)


class Stack:
    """State of replicates in training. Rows of the data sets in use lie behind each other on the device.

    A replicate that is an ensemble takes as many places of the leading axis R as it has networks, one behind the other.
    """

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
        self.members = first.training.members
        places = [t for t in tasks for _ in range(self.members)]
        seeds = [member_seed(t.seed, m) for t in tasks for m in range(self.members)]
        used = sorted({t.data for t in tasks})
        self.device, self.master = device, master_dtype(precision)
        configurations = [t.configuration for t in places]
        families = {"encoders": "encoder", "heads": "head", "objectives": "objective"}
        self.values = {
            family: values_of(family, [getattr(c, part) for c in configurations], self.master, device)
            for family, part in families.items()
        }
        silent = {f: frozenset(n for n, v in own.items() if not v.any()) for f, own in self.values.items()}
        self.model = Model(first, data[used[0]].spectra.shape[1], silent)
        self.compute = compute_dtype(precision, device, self.model.width)
        self._training, self._positives = first.training, first.positives
        self.steps = steps_of(tasks[0])
        starts = np.cumsum([0, *(data[k].spectra.shape[0] for k in used)])
        self._first = [int(starts[used.index(t.data)]) for t in places]
        self._plans = [(t.train, self._ordered(t, data[t.data]), s) for t, s in zip(places, seeds)]
        known = {
            i: (torch.from_numpy(np.ascontiguousarray(relation)).to(device), int(starts[i]))
            for i, k in enumerate(used)
            if (relation := data[k].relation) is not None
        }
        codes = torch.cat([torch.from_numpy(np.asarray(data[k].groups, dtype=np.int64)) for k in used]).to(device)
        self._relations = Relations(codes, known, [used.index(t.data) for t in places])
        self._look_up = first.positives.source != "views" or bool(known)
        spectra = [torch.from_numpy(np.asarray(data[k].spectra)).to(self.master) for k in used]
        self.spectra = (spectra[0] if len(spectra) == 1 else torch.cat(spectra)).to(device)
        self.axis = torch.stack([torch.from_numpy(np.asarray(data[t.data].axis)) for t in places]).to(
            device, self.master
        )
        fitter = Fitter(places, data)
        self._augment = Augmenter(configurations, fitter, self.master, device)
        self._partners: Partners | None = None
        if self._augment.wants_partners:
            rows = [t.train + f for t, f in zip(places, self._first)]
            self._partners = Partners(rows, [training_groups(t, data[t.data]) for t in places], device)
        weights = [c.positives.group_weight if c.positives.source == "both" else 1.0 for c in configurations]
        self.values["positives"] = {"group_weight": torch.tensor(weights, dtype=self.master, device=device)}
        words = [[seed_words(s, "step"), seed_words(s, "views")] for s in seeds]
        self._seeds = torch.tensor(words, dtype=torch.int32, device=device)
        self.parameters = self.model.initial(seeds, self.master, device)
        self.fitted = self.model.fit(fitter, [c.encoder for c in configurations], self.master, device)
        self._momentum: Momentum | None = None
        if self.model.wants_target:
            self._momentum = Momentum(self.model, self.parameters, self.compute)
        self.own = first.training.own_terms
        self._comparison: Comparison | None = None
        if self.own:
            rows, groups = [t.train for t in places], [training_groups(t, data[t.data]) for t in places]
            self._comparison = Comparison(configurations, rows, groups, device)
        self._compared = torch.zeros(len(places), self.model.comparison.size, dtype=torch.float64, device=device)
        self._alive = torch.ones(len(places), dtype=torch.bool, device=device)
        total = self.steps * first.training.epochs
        self._optimiser = AdamW([c.optimiser for c in configurations], self.parameters, self.model.decayed, total)
        self._bind()

    def _ordered(self, task: ReplicateTask, data: TrainingData) -> PlainOrder | GroupOrder:
        count = task.train.shape[0]
        if count < 2:
            raise DataError(f"replicate {task.key}: {count} training spectra, at least 2 are needed")
        if self._positives.source == "views":
            return PlainOrder(count)
        return GroupOrder(training_groups(task, data), self._positives.spectra_per_group)

    def _bind(self) -> None:
        """Make leaves of the encoder's compute copy, the head and the predictor, and places for their gradients."""
        split, network = self.model.encoder.size, self.model.network
        self._constants: dict[str, Tensor] = {}
        self._gradient = torch.zeros_like(self.parameters)
        self._mixed = self.compute != self.master
        self._copy = self.parameters[:, :split].to(self.compute) if self._mixed else self.parameters[:, :split]
        self._encoder = self.model.encoder.leaves(self._copy)
        self._head = self.model.head.leaves(self.parameters[:, split:network])
        self._predictor = self.model.objective.leaves(self.parameters[:, network:])
        self._leaves = (*self._encoder.values(), *self._head.values(), *self._predictor.values())
        self._fitted = self.model.fitted.views(self.fitted)
        self._slots = tuple(self.model.trained(self._gradient).values())

    @property
    def alive(self) -> Tensor:
        """Which replicates' losses and gradients were finite in every step so far ``(T,)``."""
        return self._alive.view(-1, self.members).all(dim=1)

    def plan(self, epoch: int) -> Tensor:
        """Return the rows of an epoch's batches ``(steps, R, B)`` on the device."""
        slots = self.steps * self._training.batch_size
        draws = Draws([seed for _, _, seed in self._plans], epoch)
        chosen = [
            train[order.plan_of(draws, place, slots)] + first
            for place, ((train, order, _), first) in enumerate(zip(self._plans, self._first))
        ]
        table = np.stack(chosen).reshape(len(chosen), self.steps, self._training.batch_size)
        return torch.from_numpy(table).to(self.device).transpose(0, 1).contiguous()

    def loss(self, rows: Tensor, step: int) -> Tensor:
        """Return the loss of each network ``(R,)`` on a batch of rows ``(R, B)``."""
        source, weight = self._positives.source, self.values["positives"]["group_weight"]
        stream = Stream.at(self._seeds[:, 0], step)
        with torch.no_grad():
            shown = rows if source == "groups" else torch.cat([rows, rows], dim=1)
            x = self.spectra[shown]
            if self._augment:

                def partners(uniform: Tensor) -> Tensor:
                    assert self._partners is not None
                    return self.spectra[self._partners.draw(shown, uniform)]

                x = self._augment(x, Stream.at(self._seeds[:, 1], step), self.axis, partners)
            relation = self._relations(rows) if self._look_up else None
            positive, negative = compare(rows, relation, source, weight)
        penalties: list[Tensor] = []
        outputs = self.model.forward(
            self._encoder | self._fitted, self._head, x, self.axis, self.values, stream, self._constants, penalties
        )
        target = queue = None
        if self._momentum is not None:
            target = self._momentum.project(x, self.axis, self.values, self._fitted, self._constants)
            queue = self._momentum.queue(target, lambda others: self._relate(shown, others))
        # training always acts on the head's output; `similarity` decides what is compared afterwards
        batch = Batch(outputs[1], positive, negative, target, queue)
        loss = self.model.loss(self._predictor, batch, self.axis, self.values, stream)
        return loss if not penalties else loss + torch.stack(penalties).sum(dim=0).to(loss.dtype)

    def _relate(self, rows: Tensor, others: Tensor) -> tuple[Tensor, Tensor]:
        relation = self._relations(rows, others) if self._look_up else None
        return relate(rows, others, relation, self._positives.source, self.values["positives"]["group_weight"])

    def gradient(self, rows: Tensor, step: int) -> tuple[Tensor, Tensor]:
        """Return losses ``(R,)`` and gradients ``(R, P)``; the latter is overwritten by the next call."""
        loss = self.loss(rows, step)
        # copied rather than accumulated: nothing to set to zero, and the same pass brings them to the master type
        for slot, gradient in zip(self._slots, torch.autograd.grad(loss.sum(), self._leaves)):
            slot.copy_(gradient)
        return loss.detach(), self._gradient

    def step(self, rows: Tensor, step: int) -> Tensor:
        """Train on one batch; return the losses ``(R,)``. Marks networks whose loss or gradient is not finite."""
        loss, gradient = self.gradient(rows, step)
        norm = self._optimiser.step(self.parameters, gradient)
        if self._mixed:
            self._copy.copy_(self.parameters[:, : self.model.encoder.size])
        if self._momentum is not None:
            self._momentum.move(self.parameters, self.values["objectives"]["momentum"], rows)
        self._alive &= torch.isfinite(loss) & torch.isfinite(norm)
        return loss

    def epoch(self, number: int) -> Tensor:
        """Train one epoch (counted from 1); return mean losses of the replicates ``(T,)``."""
        total = torch.zeros(self._alive.shape[0], dtype=self.master, device=self.device)
        for index, rows in enumerate(self.plan(number)):
            total += self.step(rows, (number - 1) * self.steps + index)
        return total.view(-1, self.members).mean(dim=1) / self.steps

    def outputs(self, rows: Tensor, jitter: float = 0.0) -> Tensor:
        """Return embeddings ``(T, V, D)`` for each replicate's own row numbers ``(T, V)``.

        The cosine of an ensemble's outputs is the mean of its networks' cosines. jitter: standard deviation of noise on
        every channel in units of the spectrum's own, drawn by the replicate's seed and the place in `rows`.
        """
        return joined(self._embedded(rows.repeat_interleave(self.members, dim=0), jitter), self.members)

    def compared(self, rows: Tensor) -> Tensor:
        """Return what similarity compares ``(T, V, …)`` for each replicate's own row numbers ``(T, V)``."""
        z = self._embedded(rows.repeat_interleave(self.members, dim=0))
        return self.model.compared(z, self._compared, self.members)

    def fit_comparison(self) -> None:
        """Fit the comparison on the embeddings that the networks give their training spectra now."""
        if self._comparison is not None:
            found = self._comparison.fit(self._embedded(self._comparison.rows))
            for name, view in self.model.comparison.views(self._compared).items():
                view.copy_(found[name])

    @torch.no_grad()
    def _embedded(self, rows: Tensor, jitter: float = 0.0) -> Tensor:
        """Return each network's embeddings ``(R, V, D)`` of row numbers ``(R, V)`` of its replicate."""
        first = torch.tensor(self._first, device=self.device).unsqueeze(1)
        encoder = self._encoder | self._fitted
        pieces: list[Tensor] = []
        for part in torch.split(rows + first, _INFERENCE_ROWS, dim=1):
            x = self.spectra[part]
            if jitter:
                stream = Stream.at(self._seeds[:, 1], -1 - len(pieces))  # steps of training count from 0
                noise = RowStream(stream, x.shape[1], 0).normal(x.shape[2])
                x = x + jitter * deviation(x) * noise.to(x.dtype)
            outputs = self.model.forward(encoder, self._head, x, self.axis, self.values, None, self._constants)
            pieces.append(self.model.similar(outputs))
        return torch.cat(pieces, dim=1)

    def named(self, task: int) -> dict[str, Tensor]:
        """Return copies of a replicate's tensors by name, as they are exported: ``(*shape)``, or ``(E, *shape)``."""
        at = slice(task * self.members, (task + 1) * self.members)
        named = self.model.named(self.parameters[at], self.fitted[at], self._compared[at])
        return {n: (v[0] if self.members == 1 else v).float().cpu().clone() for n, v in named.items()}

    def keep(self, tasks: list[int]) -> None:
        """Shrink to the replicates `tasks`."""
        rows = [t * self.members + m for t in tasks for m in range(self.members)]
        self.tasks = [self.tasks[t] for t in tasks]
        self._first, self._plans = [self._first[r] for r in rows], [self._plans[r] for r in rows]
        self._seeds, self.axis, self._alive = self._seeds[rows], self.axis[rows], self._alive[rows]
        self.parameters, self.fitted = self.parameters[rows], self.fitted[rows]
        self._compared = self._compared[rows]
        self.values = {f: {n: v[rows] for n, v in own.items()} for f, own in self.values.items()}
        for part in (self._augment, self._relations, self._optimiser, self._partners, self._momentum, self._comparison):
            if part is not None:
                part.keep(rows)
        self._bind()
