"""Convolutional network in blocks, the NIR pretext paper's: convolutions, a norm, ReLU, the largest of neighbours.

Its sizes are ``width 32`` (32, 64 and 128 features), kernel 3, two convolutions a block, pooling 2; one norm a block
stands behind them, as the paper writes it, and a ReLU between. Features can be read behind any block
(``program.features``), and blocks can be kept as pretraining left them.

The paper's batch norm makes a spectrum's embedding depend on the batch. Here every norm takes its statistics from
reference spectra instead, drawn from the training spectra and encoded along (Salimans et al. 2016, section 3.4:
"virtual" batch norm with one fixed batch): a spectrum alone gives what it gives in any batch, and unlike a norm of each
spectrum by itself this keeps how far it lies above and how much it is stretched against others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.layers_convolution import (
    convolution,
    convolve,
    largest,
    normalisation,
    normalise,
    read_regions,
    region_reader,
    shortened,
)
from spectrosim_search.learning.parameters import Parameter, bias, fitted

__all__ = [
    "Settings",
    "block",
    "block_size",
    "blocks",
    "enter",
    "fit",
    "forward",
    "outputs",
    "parameters",
    "read",
    "references",
]

_SMALLEST = 1e-5  # added to variances


@dataclass(frozen=True)
class Settings:
    """Settings of the block-wise convolutional network."""

    width: int = field(16, "features of the first block", low=1, high=4096, shapes=True)
    growth: float = field(2.0, "by how much each block is wider than the one before", low=0.5, high=4, shapes=True)
    blocks: int = field(3, "blocks of convolutions", low=1, high=10, shapes=True)
    convolutions: int = field(2, "convolutions in a block", low=1, high=8, shapes=True)
    kernel: int = field(3, "places a convolution sees", low=1, high=255, shapes=True)
    pool: int = field(2, "neighbouring places of which a block keeps the largest", low=1, high=64, shapes=True)
    norm: Literal["reference", "spectrum", "none"] = field(
        "reference",
        "reference: by mean and deviation of reference spectra; spectrum: of each spectrum by itself; none",
        shapes=True,
    )
    references: int = field(8, "training spectra the norm refers to", low=2, high=256, shapes=True)
    regions: int = field(8, "parts of the axis whose mean and maximum are read", low=1, high=1024, shapes=True)
    dropout: float = field(0.1, "share of the read features dropped", low=0.0, high=0.9)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def blocks(settings: Settings) -> int:
    """Return the number of blocks; tensors of block k (from 0) start with ``blockk.``, the rest belongs to the last."""
    return settings.blocks


def references(settings: Settings) -> int:
    """Return the rows in front of a block's output that belong to reference spectra."""
    return settings.references if settings.norm == "reference" else 0


def block_size(settings: Settings, length: int, number: int) -> tuple[int, int]:
    """Return places and features behind block `number`, counted from 0."""
    places = length
    for _ in range(number + 1):
        places = shortened(places, settings.pool)
    return places, _width(settings, number)


def _width(settings: Settings, number: int) -> int:
    return max(1, round(settings.width * settings.growth**number))


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    out: dict[str, Parameter] = {}
    if settings.norm == "reference":
        out["reference"] = fitted(settings.references, length)
    before = 1
    for number in range(settings.blocks):
        width = _width(settings, number)
        for layer in range(settings.convolutions):
            name = f"block{number}.layer{layer}."
            # ReLU halves the variance: weights start twice as wide (He et al. 2015)
            out |= convolution(before, width, settings.kernel, name, scale=2**0.5)
            last = layer == settings.convolutions - 1
            out |= normalisation(width, name) if last else {name + "bias": bias(width)}
            before = width
    places, width = block_size(settings, length, settings.blocks - 1)
    return out | region_reader(places, width, settings.regions, settings.out)


def fit(settings: Settings, fitting: Fitting) -> dict[str, NDArray[np.float32]]:
    """Choose the reference spectra ``(references, L)``: evenly over the training spectra in the order of their means,
    so that they show how spectra vary; repeated where there are fewer."""
    if settings.norm != "reference":
        return {}
    order = np.argsort(fitting.spectra.mean(axis=1), kind="stable")
    place = np.floor((np.arange(settings.references) + 0.5) / settings.references * order.size).astype(np.int64)
    return {"reference": np.asarray(fitting.spectra[order[place]], dtype=np.float32)}


def enter(settings: Settings, p: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Return what the first block reads of spectra x ``(R, M, L)``: ``(R, references + M, L, 1)``."""
    if settings.norm == "reference":
        x = torch.cat([p["reference"].to(x.dtype).expand(x.shape[0], -1, -1), x], dim=1)
    return x.unsqueeze(-1)


def block(settings: Settings, p: Mapping[str, Tensor], h: Tensor, number: int) -> Tensor:
    """Return h ``(R, references + M, T, C)`` behind block `number`."""
    front = references(settings)
    # references on their own way: cutting them out of one tensor would fill gradients with zeros time and again
    parts = list(torch.split(h, [front, h.shape[1] - front], dim=1)) if front else [h]
    for layer in range(settings.convolutions):
        name = f"block{number}.layer{layer}."
        parts = [convolve(part, p[name + "weight"]) for part in parts]
        if layer < settings.convolutions - 1:
            parts = [F.relu(part + p[name + "bias"][:, None, None]) for part in parts]
            continue
        parts = _normalised(settings, parts, p[name + "gain"], p[name + "bias"])
        # the largest of ReLUs is the ReLU of the largest
        parts = [F.relu(_largest(part, settings.pool)) for part in parts]
    return torch.cat(parts, dim=1) if front else parts[0]


def _largest(h: Tensor, size: int) -> Tensor:
    """Keep the largest of every `size` neighbouring places of h ``(R, M, T, C)``."""
    if size == 1:
        return h
    if h.shape[0] > 1 or h.device.type != "cpu":
        return largest(h, size)
    image = h[0].transpose(1, 2).unsqueeze(2)  # channels last in memory, which the library is quick with
    return F.max_pool2d(image, (1, size), ceil_mode=True).squeeze(2).transpose(1, 2).unsqueeze(0)


def _normalised(settings: Settings, parts: list[Tensor], gain: Tensor, bias: Tensor) -> list[Tensor]:
    """Norm, scale and shift each feature of parts ``(R, m, T, C)``; the first part holds the references."""
    if settings.norm == "spectrum":
        return [normalise(part, gain, bias) for part in parts]
    if settings.norm == "reference":
        known = parts[0].flatten(1, 2)
        known = known.float() if known.dtype == torch.bfloat16 else known
        share = known.new_full((known.shape[0], 1, known.shape[1]), 1 / known.shape[1])
        # products with a row of shares are much quicker than the library's moments over the front axes
        mean = torch.bmm(share, known)
        variance = torch.bmm(share, (known - mean).square()).squeeze(1)
        root = (variance + _SMALLEST).rsqrt()
        gain, bias = gain * root, bias - mean.squeeze(1) * gain * root
    kind = parts[0].dtype
    return [torch.addcmul(bias[:, None, None].to(kind), part, gain[:, None, None].to(kind)) for part in parts]


def read(settings: Settings, p: Mapping[str, Tensor], h: Tensor, context: Context) -> Tensor:
    """Return embeddings ``(R, M, D)`` of what lies behind the last block, h ``(R, M, T, C)`` without references."""
    return read_regions(p, h, settings.regions, context)


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``."""
    h = enter(settings, p, x)
    for number in range(settings.blocks):
        h = block(settings, p, h, number)
    return read(settings, p, h[:, references(settings) :], context)
