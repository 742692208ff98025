"""Dense layers whose widths fall in equal steps from the channels to the embedding, leaky ReLU between them.

The encoder of the synthesis paper (nine layers, 797 → 765 → … → 541 → 512) with ``depth: 9, out: 512``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning import steps
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.parameters import Parameter

__all__ = ["Settings", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of the stepped encoder."""

    depth: int = field(3, "layers", low=1, high=32, shapes=True)
    dropout: float = field(0.0, "share of channels dropped before the first layer", low=0.0, high=0.9)
    out: int = field(128, "size of the embedding", low=2, high=4096, shapes=True)


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    return steps.stepped_parameters(steps.widths(length, settings.out, settings.depth))


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``."""
    return steps.stepped(p, context.dropout(x), settings.depth)
