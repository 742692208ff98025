"""One-dimensional residual network with pre-activation (He et al. 2016, "Identity mappings").

SimCLR's encoder, over the axis instead of an image: ``stem_stride 2, stages 4, blocks 2, kernel 3, width 64`` is
ResNet-18's plan. A stage's first block shortens and widens; its shortcut is a convolution of one place.
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
    normalisation,
    read_regions,
    region_reader,
    shortened,
    start,
    stem,
)
from spectrosim_search.learning.layers_transformer import branch_scale
from spectrosim_search.learning.parameters import Parameter

__all__ = ["Settings", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of the residual network."""

    width: int = field(32, "features of the first stage", low=1, high=4096, shapes=True)
    growth: float = field(2.0, "by how much each stage is wider than the one before", low=0.5, high=4, shapes=True)
    stem_kernel: int = field(15, "channels the first convolution sees", unit="channels", low=1, high=4096, shapes=True)
    stem_stride: int = field(
        8, "channels the first convolution moves by", unit="channels", low=1, high=4096, shapes=True
    )
    stages: int = field(3, "stages; all but the first shorten and widen", low=1, high=16, shapes=True)
    blocks: int = field(1, "residual blocks of two convolutions in a stage", low=1, high=64, shapes=True)
    kernel: int = field(3, "places a convolution inside a block sees", low=1, high=255, shapes=True)
    stride: int = field(2, "by what factor a stage shortens", low=1, high=64, shapes=True)
    regions: int = field(4, "parts of the axis whose mean and maximum are read", low=1, high=1024, shapes=True)
    dropout: float = field(0.1, "share of the read features dropped", low=0.0, high=0.9)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)
    position: Literal["axis", "learned"] = field(
        "axis", "axis: waves over the axis value of a place; learned: a free vector a place", shapes=True
    )


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def _plan(settings: Settings) -> list[tuple[str, int, int, int]]:
    """Return name, features before, features behind and stride of every block."""
    plan, before = [], settings.width
    for stage in range(settings.stages):
        width = max(1, round(settings.width * settings.growth**stage))
        for block in range(settings.blocks):
            stride = settings.stride if stage and block == 0 else 1
            plan.append((f"stage{stage}.block{block}.", before, width, stride))
            before = width
    return plan


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    plan, places = _plan(settings), shortened(length, settings.stem_stride)
    out = stem(settings.position, length, settings.width, settings.stem_kernel, settings.stem_stride)
    for name, before, width, stride in plan:
        out |= normalisation(before, name + "norm1.")
        out |= convolution(before, width, settings.kernel, name + "first.")
        out |= normalisation(width, name + "norm2.")
        out |= convolution(width, width, settings.kernel, name + "second.", scale=branch_scale(len(plan)))
        if before != width or stride != 1:
            out |= convolution(before, width, 1, name + "shortcut.")
        places = shortened(places, stride)
    width = plan[-1][2]
    return out | normalisation(width, "last.") | region_reader(places, width, settings.regions, settings.out)


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``."""
    h = start(p, x, settings.position, settings.stem_stride, context)
    for name, _, _, stride in _plan(settings):
        y = activated(p, h, name + "norm1.")
        if name + "shortcut.weight" in p:
            h = convolve(y, p[name + "shortcut.weight"], stride)
        y = activated(p, convolve(y, p[name + "first.weight"], stride), name + "norm2.")
        h = h + convolve(y, p[name + "second.weight"])
    return read_regions(p, activated(p, h, "last."), settings.regions, context)
