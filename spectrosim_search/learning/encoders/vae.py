"""Variational autoencoder (Kingma and Welling 2014): the embedding is the mean of a distribution a decoder can read.

In training the embedding is drawn, mean + deviation × normal, and two penalties join the loss: how badly the spectrum
is rebuilt from it, and how far its distribution lies from a standard normal. In inference the embedding is the mean;
the decoder takes no part.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, layer_norm, linear
from spectrosim_search.learning.parameters import Parameter, bias, gain, weight

__all__ = ["BF16_WIDTH", "Settings", "divergence", "forward", "outputs", "parameters", "rebuilding_error"]

_WIDEST = 8.0  # log variances stay inside ± this, smoothly: exp() never overflows in any type
_TINY = 1e-12  # smallest mean square of a batch that an error is measured against

BF16_WIDTH = 512  # bfloat16 on a CPU: 2 x at width 512, none at 48 (measured)


@dataclass(frozen=True)
class Settings:
    """Settings of the variational autoencoder."""

    width: int = field(48, "features of the hidden layers, on both sides", low=2, high=8192, shapes=True)
    depth: int = field(2, "hidden layers on each side", low=1, high=16, shapes=True)
    reconstruction: float = field(
        1.0, "weight of the rebuilding error: squares, relative to the spectra's own", low=0.0, high=100.0
    )
    divergence: float = field(
        0.01,
        "weight of the divergence from a standard normal, a feature; the plain bound has 2 out / channels",
        low=0.0,
        high=100.0,
    )
    dropout: float = field(0.1, "share of features dropped after each hidden layer of the encoder", low=0.0, high=0.9)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def _layer(inputs: int, width: int, name: str) -> dict[str, Parameter]:
    return {
        name + "weight": weight(inputs, width, scale=1.4),  # GELU halves a variance
        name + "bias": bias(width),
        name + "norm.gain": gain(width),
        name + "norm.bias": bias(width),
    }


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    width, out = settings.width, settings.out
    declared: dict[str, Parameter] = {}
    for layer in range(settings.depth):
        declared |= _layer(width if layer else length, width, f"encoder{layer}.")
    declared |= {
        "mean.weight": weight(width, out),
        "mean.bias": bias(out),
        "spread.weight": weight(width, out, scale=0.1),
        "spread.bias": Parameter((out,), "constant", -2.0, decay=False),  # draws start close to their means
    }
    for layer in range(settings.depth):
        declared |= _layer(width if layer else out, width, f"decoder{layer}.")
    return declared | {"rebuild.weight": weight(width, length), "rebuild.bias": bias(length)}


def _hidden(p: Mapping[str, Tensor], h: Tensor, name: str) -> Tensor:
    h = layer_norm(linear(h, p[name + "weight"], p[name + "bias"]), p[name + "norm.gain"], p[name + "norm.bias"])
    return F.gelu(h)


def rebuilding_error(rebuilt: Tensor, spectra: Tensor) -> Tensor:
    """Return the squared error of rebuilt spectra over the squares of the spectra, both ``(R, M, L)`` → ``(R,)``."""
    squares = spectra.square().mean(dim=(1, 2)).clamp(min=_TINY)
    return (rebuilt - spectra).square().mean(dim=(1, 2)) / squares


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return KL(N(mean, variance) ‖ N(0, 1)), mean over rows and features: ``(R, M, D)`` → ``(R,)``.

    Kingma and Welling 2014, appendix B.
    """
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean(dim=(1, 2))


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``; training draws the embedding and adds both penalties.

    The error is a Gaussian log likelihood whose variance is the mean square of the batch, divided by half the number of
    channels; so its weight means the same for every length and scale of spectra.
    """
    h = x
    for layer in range(settings.depth):
        h = context.dropout(_hidden(p, h, f"encoder{layer}."))
    mean = linear(h, p["mean.weight"], p["mean.bias"])
    if not context.training:
        return mean
    exact = context.axis.dtype
    spectra = x.to(exact) if context.spectra is None else context.spectra
    spread = linear(h, p["spread.weight"], p["spread.bias"]).to(exact)
    log_variance = _WIDEST * torch.tanh(spread / _WIDEST)
    drawn = torch.addcmul(mean.to(exact), torch.exp(0.5 * log_variance), context.normal(mean.shape[1:]))
    drawn = drawn.to(x.dtype)
    h = drawn
    for layer in range(settings.depth):
        h = _hidden(p, h, f"decoder{layer}.")
    rebuilt = linear(h, p["rebuild.weight"], p["rebuild.bias"]).to(exact)
    context.penalty(context.values["reconstruction"] * rebuilding_error(rebuilt, spectra))
    context.penalty(context.values["divergence"] * divergence(mean.to(exact), log_variance))
    return drawn
