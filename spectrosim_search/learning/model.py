"""A stack's architecture: its tensors in one flat buffer, and the way from spectra to embeddings."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.components import settings_of
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.parameters import Parameter
from spectrosim_search.learning.randomness import USES, Stream

__all__ = ["Layout", "Model"]

_ALIGNMENT = 16  # values; keeps every tensor on a cache line of its own
_HEAD_USE = 160  # first use number of the head's randomness; augmentations start at 192


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

    def views(self, buffer: Tensor) -> dict[str, Tensor]:
        """Return each tensor as a view ``(R, *shape)`` of a buffer ``(R, size)``."""
        return {name: buffer[:, at : at + p.size].view(buffer.shape[0], *p.shape) for name, p, at in self.entries}

    def leaves(self, values: Tensor) -> dict[str, Tensor]:
        """Return views of `values` to differentiate by; changes of `values` show in them."""
        return {name: view.requires_grad_() for name, view in self.views(values.detach()).items()}


class Model:
    """Encoder and head of one architecture, for spectra of `length` channels.

    The flat buffer holds the encoder's tensors first, the head's behind. The encoder computes in the type of its
    weights (bfloat16 for speed); head and everything after compute in the type of theirs.
    """

    def __init__(self, configuration: Configuration, length: int) -> None:
        """Declare everything. Raises ConfigurationError on unknown or contradictory settings."""
        self.length = length
        self._encoder = registry.load("learning.encoders", configuration.encoder.type)
        self._head = registry.load("learning.heads", configuration.head.type)
        self._encoder_settings = settings_of("encoders", configuration.encoder)
        self._head_settings = settings_of("heads", configuration.head)
        self._of_head = configuration.training.similarity == "head"
        inside = self._encoder.outputs(self._encoder_settings, length)
        self.encoder = Layout.of(self._encoder.parameters(self._encoder_settings, length))
        self.head = Layout.of(self._head.parameters(self._head_settings, inside, length))
        self.size = self.encoder.size + self.head.size

    @property
    def count(self) -> int:
        """Number of parameters, alignment not counted."""
        return sum(p.size for _, p, _ in itertools.chain(self.encoder.entries, self.head.entries))

    @property
    def decayed(self) -> tuple[tuple[int, int], ...]:
        """Ranges of the flat buffer that weight decay acts on."""
        return (0, self.encoder.decayed), (self.encoder.size, self.encoder.size + self.head.decayed)

    @property
    def width(self) -> int:
        """Token width of the encoder, where it has one."""
        return int(getattr(self._encoder_settings, "width", 0))

    def named(self, values: Tensor) -> dict[str, Tensor]:
        """Return all tensors of a buffer ``(R, size)`` as views, named ``encoder.…`` and ``head.…``."""
        split = self.encoder.size
        out = {f"encoder.{n}": v for n, v in self.encoder.views(values[:, :split]).items()}
        return out | {f"head.{n}": v for n, v in self.head.views(values[:, split:]).items()}

    def initial(self, seeds: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
        """Return starting parameters ``(R, size)``, the same on every device."""
        values = torch.zeros(len(seeds), self.size, dtype=dtype)
        for index, view in enumerate(self.named(values).items()):
            parameter = self._declared(view[0])
            stream = Stream.of_seeds(seeds, index // USES, purpose="start")
            drawn = stream.normal(index % USES, parameter.size if parameter.start != "constant" else 0).to(dtype)
            for row in range(len(seeds)):
                filler = drawn[row] if parameter.start != "constant" else values.new_zeros(1)
                view[1][row] = parameter.initial(filler)
        return values.to(device)

    def _declared(self, name: str) -> Parameter:
        part, _, rest = name.partition(".")
        layout = self.encoder if part == "encoder" else self.head
        return next(p for n, p, _ in layout.entries if n == rest)

    def forward(
        self,
        encoder: Mapping[str, Tensor],
        head: Mapping[str, Tensor],
        x: Tensor,
        axis: Tensor,
        values: Mapping[str, Mapping[str, Tensor]],
        stream: Stream | None = None,
        constants: dict[str, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return embeddings and projections of spectra x ``(R, M, L)``: ``(R, M, D)`` each.

        encoder, head: tensors ``(R, *shape)``. axis: ``(R, L)``. values: per family the settings that may differ
        between replicates. stream: None in inference. constants: kept by the caller as long as `axis` stays the same.
        """
        kind = next(iter(encoder.values())).dtype
        constants = {} if constants is None else constants
        context = Context(axis, values["encoders"], stream, constants=constants)
        h = self._encoder.forward(self._encoder_settings, encoder, x.to(kind), context).to(x.dtype)
        context = Context(axis, values["heads"], stream, _HEAD_USE, constants)
        return h, self._head.forward(self._head_settings, head, h, x, context)

    def similar(self, outputs: tuple[Tensor, Tensor]) -> Tensor:
        """Return what cosine similarity compares: the projection or the embedding, as configured."""
        return outputs[1] if self._of_head else outputs[0]
