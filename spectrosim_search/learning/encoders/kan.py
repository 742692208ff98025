"""Kolmogorov-Arnold network on patch features (Liu et al. 2024).

The papers' network reads all 2,080 channels, 71 million parameters (SpectroSim chapter, cost table). Here a few
filters, the same along the axis, first reduce each patch of neighbouring channels, and curves begin behind them; with
``patch: 1`` and ``features: 1`` the curves read the channels themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, layer_norm, linear
from spectrosim_search.learning.layers_spline import curves, curves_parameters
from spectrosim_search.learning.layers_transformer import embed_patches, patch_embedding, token_count
from spectrosim_search.learning.parameters import Parameter, bias, gain, weight

__all__ = ["BF16_WIDTH", "Settings", "forward", "outputs", "parameters"]

BF16_WIDTH = 256  # bfloat16 on a CPU: 1.7 x at 256 features with 8 filters, none at the default size (measured)


@dataclass(frozen=True)
class Settings:
    """Settings of the Kolmogorov-Arnold network."""

    patch: int = field(32, "neighbouring channels a filter reads", unit="channels", low=1, high=4096, shapes=True)
    features: int = field(3, "filters a patch is reduced to", low=1, high=1024, shapes=True)
    width: int = field(48, "features between layers of curves", low=2, high=4096, shapes=True)
    depth: int = field(2, "layers of curves", low=1, high=16, shapes=True)
    grid: int = field(5, "intervals of a curve over three deviations to both sides", low=1, high=64, shapes=True)
    degree: int = field(3, "degree of a curve's pieces", low=1, high=5, shapes=True)
    dropout: float = field(0.1, "share of features dropped after each layer of curves", low=0.0, high=0.9)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    out = patch_embedding(settings.patch, settings.features)
    size = token_count(length, settings.patch) * settings.features
    for layer in range(settings.depth):
        name = f"layer{layer}."
        out |= {name + "norm.gain": gain(size), name + "norm.bias": bias(size)}
        out |= curves_parameters(size, settings.width, settings.grid, settings.degree, name)
        size = settings.width
    return out | {"out.weight": weight(size, settings.out), "out.bias": bias(settings.out)}


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``; a layer norm brings inputs of curves onto their grid."""
    h = embed_patches(p, x, settings.patch).flatten(2)
    for layer in range(settings.depth):
        name = f"layer{layer}."
        h = layer_norm(h, p[name + "norm.gain"], p[name + "norm.bias"])
        h = context.dropout(curves(p, h, settings.grid, settings.degree, name))
    return linear(h, p["out.weight"], p["out.bias"])
