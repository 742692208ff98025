"""Convolutional network over the axis: stages of convolutions that shorten the spectrum, read in regions.

The transformation-recognition paper's network (kernel 3, pairs of convolutions of 32, 64 and 128 features, max-pooling)
is but for one convolution and one pooling at the start ``stem_kernel 3, stem_stride 1, kernel 3, convolutions 2,
shorten max``; the chapter's size, 34.3 M parameters, is that of ``width 472, convolutions 2``. Instead of batch norm
every spectrum is normalised by itself (see ``layers_convolution``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.layers_convolution import (
    activated,
    convolution,
    convolve,
    largest,
    normalisation,
    read_regions,
    region_reader,
    shortened,
    start,
    stem,
)
from spectrosim_search.learning.parameters import Parameter

__all__ = ["Settings", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of the convolutional network."""

    width: int = field(32, "features of the first convolution", low=1, high=4096, shapes=True)
    growth: float = field(2.0, "by how much each stage is wider than the one before", low=0.5, high=4, shapes=True)
    stem_kernel: int = field(15, "channels the first convolution sees", unit="channels", low=1, high=4096, shapes=True)
    stem_stride: int = field(
        8, "channels the first convolution moves by", unit="channels", low=1, high=4096, shapes=True
    )
    stages: int = field(2, "stages behind the first convolution", low=1, high=16, shapes=True)
    convolutions: int = field(1, "convolutions in a stage", low=1, high=16, shapes=True)
    kernel: int = field(5, "places a later convolution sees", low=1, high=255, shapes=True)
    stride: int = field(2, "by what factor a stage shortens", low=1, high=64, shapes=True)
    shorten: Literal["stride", "max"] = field(
        "stride", "stride: a stage's first convolution moves faster; max: its largest values are kept", shapes=True
    )
    regions: int = field(4, "parts of the axis whose mean and maximum are read", low=1, high=1024, shapes=True)
    dropout: float = field(0.1, "share of the read features dropped", low=0.0, high=0.9)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)
    position: Literal["axis", "learned"] = field(
        "axis", "axis: waves over the axis value of a place; learned: a free vector a place", shapes=True
    )


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def _widths(settings: Settings) -> list[int]:
    return [max(1, round(settings.width * settings.growth**stage)) for stage in range(settings.stages + 1)]


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    widths, places = _widths(settings), shortened(length, settings.stem_stride)
    out = stem(settings.position, length, settings.width, settings.stem_kernel, settings.stem_stride)
    for stage in range(settings.stages):
        before = widths[stage]
        for layer in range(settings.convolutions):
            name = f"stage{stage}.layer{layer}."
            out |= convolution(before, widths[stage + 1], settings.kernel, name)
            out |= normalisation(widths[stage + 1], name)
            before = widths[stage + 1]
        places = shortened(places, settings.stride)
    return out | region_reader(places, widths[-1], settings.regions, settings.out)


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``."""
    h = start(p, x, settings.position, settings.stem_stride, context)
    for stage in range(settings.stages):
        for layer in range(settings.convolutions):
            name = f"stage{stage}.layer{layer}."
            stride = settings.stride if settings.shorten == "stride" and layer == 0 else 1
            h = activated(p, convolve(h, p[name + "weight"], stride), name)
        if settings.shorten == "max" and settings.stride > 1:
            h = largest(h, settings.stride)
    return read_regions(p, h, settings.regions, context)
