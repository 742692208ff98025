"""No projection head: the objective acts on the encoder's embedding itself.

SimCLR found that a head helps the representation before it (Chen et al. 2020, §4.2) when the embedding then serves
another task. Here the training's own similarity is what is wanted, and fewer weights overfit less on few groups.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.parameters import Parameter

__all__ = ["Settings", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """The identity has no settings."""


def outputs(settings: Settings, inputs: int, length: int) -> int:
    """Return the size of the embedding, which is the projection."""
    return inputs


def parameters(settings: Settings, inputs: int, length: int) -> dict[str, Parameter]:
    """Declare no tensors."""
    return {}


def forward(settings: Settings, p: Mapping[str, Tensor], h: Tensor, x: Tensor, context: Context) -> Tensor:
    """Return embeddings h ``(R, M, D)`` as they are; the spectra x ``(R, M, L)`` are not looked at."""
    return h
