"""Linear projection head."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, linear
from spectrosim_search.learning.parameters import Parameter, bias, weight

__all__ = ["Settings", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of the linear head."""

    out: int = field(64, "size of the projection", low=2, high=4096, shapes=True)


def outputs(settings: Settings, inputs: int, length: int) -> int:
    """Return the size of the projection."""
    return settings.out


def parameters(settings: Settings, inputs: int, length: int) -> dict[str, Parameter]:
    """Declare the tensors for embeddings of `inputs` features."""
    return {"weight": weight(inputs, settings.out), "bias": bias(settings.out)}


def forward(settings: Settings, p: Mapping[str, Tensor], h: Tensor, x: Tensor, context: Context) -> Tensor:
    """Project embeddings h ``(R, M, D)``; the spectra x ``(R, M, L)`` are not looked at."""
    return linear(h, p["weight"], p["bias"])
