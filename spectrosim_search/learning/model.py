"""A stack's architecture: its tensors in one flat buffer, and the way from spectra to embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Component, Configuration
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.comparison import compared_rows, joined_rows
from spectrosim_search.learning.comparison import declared as compared_by
from spectrosim_search.learning.components import settings_of
from spectrosim_search.learning.fitting import Fitter
from spectrosim_search.learning.layers import ENCODER_USES, Context
from spectrosim_search.learning.parameters import Parameter
from spectrosim_search.learning.randomness import USES, Stream

__all__ = ["Layout", "Model", "joined"]

_ALIGNMENT = 16  # values; keeps every tensor on a cache line of its own
_HEAD_USE, _OBJECTIVE_USE = ENCODER_USES, 224  # first use numbers of their randomness; the encoder's start at 0


@dataclass(frozen=True)
class Layout:
    """Places of named tensors in a flat buffer ``(R, P)``; tensors with weight decay come first."""

    entries: tuple[tuple[str, Parameter, int], ...]
    size: int
    decayed: int

    @classmethod
    def of(cls, declared: Mapping[str, Parameter]) -> Layout:
        """Lay out the declared tensors."""
        entries: list[tuple[str, Parameter, int]] = []
        place = decayed = 0
        for decay in (True, False):
            for name, parameter in declared.items():
                if parameter.decay is decay:
                    entries.append((name, parameter, place))
                    place += -(-parameter.size // _ALIGNMENT) * _ALIGNMENT
            if decay:
                decayed = place
        return cls(tuple(entries), place, decayed)

    def initial(self, seeds: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Return starting values ``(R, size)`` on the CPU."""
        values = torch.zeros(len(seeds), self.size, dtype=dtype)
        _start([p for _, p, _ in self.entries], list(self.views(values).values()), seeds)
        return values

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        """Return each tensor as a view ``(R, *shape)`` of a buffer ``(R, size)``."""
        return {name: buffer[:, at : at + p.size].view(buffer.shape[0], *p.shape) for name, p, at in self.entries}

    def leaves(self, values: Tensor) -> dict[str, Tensor]:
        """Return views of `values` to differentiate by; changes of `values` show in them."""
        return {name: view.requires_grad_() for name, view in self.views(values.detach()).items()}


def _start(declared: Sequence[Parameter], views: Sequence[Tensor], seeds: Sequence[int]) -> None:
    """Fill views ``(R, *shape)`` of zeros with starting values, each tensor from randomness of its own."""
    for index, (parameter, view) in enumerate(zip(declared, views)):
        stream = Stream.of_seeds(seeds, index // USES, purpose="start")
        drawn = stream.normal(index % USES, parameter.size if parameter.start != "constant" else 0).to(view.dtype)
        for row in range(len(seeds)):
            filler = drawn[row] if parameter.start != "constant" else view.new_zeros(1)
            view[row] = parameter.initial(filler)


class Model:
    """Encoder, head and objective of one architecture, for spectra of `length` channels.

    The flat buffer of trained values holds the encoder's tensors first, the head's behind, then the objective's (a
    predictor). What the encoder fits on training spectra lies in a buffer of its own and is not trained. The encoder
    computes in the type of its weights (bfloat16 for speed); head and everything after compute in the type of theirs.
    """

    def __init__(
        self, configuration: Configuration, length: int, silent: Mapping[str, frozenset[str]] | None = None
    ) -> None:
        """Declare everything. Raises ConfigurationError on unknown or contradictory settings.

        silent: by family, the settings that are zero in every replicate; for them nothing is drawn in training.
        """
        self.length = length
        self._encoder = registry.load("learning.encoders", configuration.encoder.type)
        self._head = registry.load("learning.heads", configuration.head.type)
        self._objective = registry.load("learning.objectives", configuration.objective.type)
        self._encoder_settings = settings_of("encoders", configuration.encoder)
        self._head_settings = settings_of("heads", configuration.head)
        self._objective_settings = settings_of("objectives", configuration.objective)
        self._of_head = configuration.training.similarity == "head"
        self._neighbours = configuration.training.comparison_neighbours
        self._silent = silent or {}
        inside = self._encoder.outputs(self._encoder_settings, length)
        declared = self._encoder.parameters(self._encoder_settings, length)
        self.encoder = Layout.of({n: p for n, p in declared.items() if p.start != "fitted"})
        self.fitted = Layout.of({n: p for n, p in declared.items() if p.start == "fitted"})
        self.head = Layout.of(self._head.parameters(self._head_settings, inside, length))
        outside = self._head.outputs(self._head_settings, inside, length)
        predictor = getattr(self._objective, "parameters", None)
        self.objective = Layout.of(predictor(self._objective_settings, outside) if predictor else {})
        self.comparison = Layout.of(compared_by(configuration, outside if self._of_head else inside))
        self.network = self.encoder.size + self.head.size  # values of encoder and head, which are kept and exported
        self.size = self.network + self.objective.size
        self.wants_target = bool(getattr(self._objective, "TARGET", False))
        places = getattr(self._objective, "queue", None)
        self.places = int(places(self._objective_settings)) if places else 0

    @property
    def count(self) -> int:
        """Number of parameters of encoder, head and comparison, alignment not counted."""
        parts = (self.encoder, self.fitted, self.head, self.comparison)
        return sum(p.size for part in parts for _, p, _ in part.entries)

    @property
    def decayed(self) -> tuple[tuple[int, int], ...]:
        """Ranges of the flat buffer that weight decay acts on."""
        starts = (0, self.encoder.size, self.network)
        return tuple((at, at + part.decayed) for at, part in zip(starts, (self.encoder, self.head, self.objective)))

    @property
    def width(self) -> int:
        """Token width of the encoder; 0 where it has none, or says that bfloat16 pays from a larger one on only."""
        width = int(getattr(self._encoder_settings, "width", 0))
        return width if width >= getattr(self._encoder, "BF16_WIDTH", 0) else 0

    def trained(self, values: Tensor) -> dict[str, Tensor]:
        """Return all trained tensors of a buffer ``(R, size)`` as views: ``encoder.…``, ``head.…``, ``objective.…``."""
        parts = (("encoder", self.encoder), ("head", self.head), ("objective", self.objective))
        out: dict[str, Tensor] = {}
        start = 0
        for name, layout in parts:
            out |= {f"{name}.{n}": v for n, v in layout.views(values[:, start : start + layout.size]).items()}
            start += layout.size
        return out

    def named(self, values: Tensor, fitted: Tensor, comparison: Tensor) -> dict[str, Tensor]:
        """Return what a model consists of as views of the buffers ``(R, size)``, ``(R, fitted.size)`` and
        ``(R, comparison.size)``.

        Names are ``encoder.…``, ``head.…`` and ``comparison.…``; the objective's tensors serve training alone.
        """
        kept = {n: v for n, v in self.trained(values).items() if not n.startswith("objective.")}
        kept |= {f"encoder.{n}": v for n, v in self.fitted.views(fitted).items()}
        return kept | {f"comparison.{n}": v for n, v in self.comparison.views(comparison).items()}

    def blank(self, members: int, value: float = 0.0) -> tuple[Tensor, Tensor, Tensor]:
        """Return the three buffers of `members` networks that :meth:`named` shows, filled with one value."""
        first, second, third = (
            torch.full((members, size), value) for size in (self.size, self.fitted.size, self.comparison.size)
        )
        return first, second, third

    def initial(self, seeds: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return starting parameters ``(R, size)``, the same on every device."""
        values = torch.zeros(len(seeds), self.size, dtype=dtype)
        parts = (self.encoder, self.head, self.objective)
        _start([p for part in parts for _, p, _ in part.entries], list(self.trained(values).values()), seeds)
        return values.to(device)

    def fit(self, fitter: Fitter, encoders: Sequence[Component], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return what the encoder fits on training spectra ``(R, fitted.size)``; encoders: each replicate's own."""
        values = torch.zeros(len(encoders), self.fitted.size, dtype=dtype)
        if self.fitted.entries:
            found = fitter(self._encoder.fit, [settings_of("encoders", c) for c in encoders], dtype)
            for name, view in self.fitted.views(values).items():
                view.copy_(found[name])
        return values.to(device)

    def forward(
        self,
        encoder: Mapping[str, Tensor],
        head: Mapping[str, Tensor],
        x: Tensor,
        axis: Tensor,
        values: Mapping[str, Mapping[str, Tensor]],
        stream: Stream | None = None,
        constants: dict[str, Tensor] | None = None,
        penalties: list[Tensor] | None = None,
        tokens: list[Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return embeddings and projections of spectra x ``(R, M, L)``: ``(R, M, D)`` each.

        encoder, head: tensors ``(R, *shape)``, the fitted ones among the encoder's. axis: ``(R, L)``. values: per
        family the settings that may differ between replicates. stream: None in inference. constants: kept by the caller
        as long as `axis` stays the same. penalties: takes the terms that encoder and head add to the loss. tokens:
        takes the encoder's tokens before they are pooled.
        """
        constants = {} if constants is None else constants
        penalties = [] if penalties is None else penalties
        kind = encoder[self.encoder.entries[0][0]].dtype if self.encoder.entries else x.dtype
        silent = self._silent.get("encoders", frozenset())
        context = Context(axis, values["encoders"], stream, 0, constants, x, penalties, silent, tokens)
        h = self._encoder.forward(self._encoder_settings, encoder, x.to(kind), context).to(x.dtype)
        silent = self._silent.get("heads", frozenset())
        context = Context(axis, values["heads"], stream, _HEAD_USE, constants, x, penalties, silent)
        return h, self._head.forward(self._head_settings, head, h, x, context)

    def loss(
        self,
        predictor: Mapping[str, Tensor],
        batch: Batch,
        axis: Tensor,
        values: Mapping[str, Mapping[str, Tensor]],
        stream: Stream | None = None,
    ) -> Tensor:
        """Return the objective of a batch ``(R,)``; predictor: the objective's own tensors ``(R, *shape)``."""
        context = Context(axis, values["objectives"], stream, _OBJECTIVE_USE)
        loss: Tensor = self._objective.loss(self._objective_settings, predictor, batch, context)
        return loss

    def similar(self, outputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return the embedding that is compared: the head's output or the encoder's, as configured."""
        return outputs[1] if self._of_head else outputs[0]

    def compared(self, z: Tensor, comparison: Tensor, members: int) -> Tensor:
        """Return what similarity compares ``(T, V, …)`` from the networks' embeddings z ``(T·E, V, D)``.

        comparison: the fitted constants ``(T·E, comparison.size)``. What cosine alone compares is only joined.
        """
        if not self.comparison.entries:
            return joined(z, members)
        return joined_rows(compared_rows(self.comparison.views(comparison), z, self._neighbours), members)


def joined(z: Tensor, members: int) -> Tensor:
    """Return the outputs of ensembles ``(T, V, E·D)`` from those of their networks ``(T·E, V, D)``.

    Each network's output is brought to length 1 / √E, so that the cosine of two joined outputs is the mean of the
    networks' cosines.
    """
    if members == 1:
        return z
    unit = torch.nn.functional.normalize(z, dim=-1, eps=1e-8) / members**0.5
    out: Tensor = unit.view(-1, members, *z.shape[1:]).permute(0, 2, 1, 3).flatten(2)
    return out
