"""Declaring the tensors of a model: shape, how they start, whether weight decay applies.

A member of a family declares its tensors without a replicate axis; the engine lays all of them out in one flat buffer
``(R, P)`` and hands each back as a view ``(R, *shape)``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["Parameter", "bias", "fitted", "gain", "table", "weight"]


@dataclass(frozen=True)
class Parameter:
    """One tensor of a model.

    `start`: "normal" draws N(0, scale²), "constant" fills with `scale`, "bumps" is a smooth partition of channels into
    bins (shape ``(channels, bins)``) of logit height `scale` with N(0, 0.01²) added, "fitted" is computed from the
    training spectra by the member's ``fit`` and never trained. `decay`: weight decay applies.
    """

    shape: tuple[int, ...]
    start: Literal["normal", "constant", "bumps", "fitted"]
    scale: float
    decay: bool

    @property
    def size(self) -> int:
        """Number of values, without the replicate axis."""
        return math.prod(self.shape)

    def initial(self, normals: Tensor) -> Tensor:
        """Return starting values ``(*shape)`` from standard normals ``(size,)``."""
        if self.start in ("constant", "fitted"):
            return torch.full(self.shape, self.scale, dtype=normals.dtype, device=normals.device)
        drawn = normals.view(self.shape)
        if self.start == "normal":
            return drawn * self.scale
        channels, bins = self.shape
        place = (torch.arange(channels, dtype=normals.dtype, device=normals.device) + 0.5) / channels * bins
        centre = torch.arange(bins, dtype=normals.dtype, device=normals.device) + 0.5
        return -self.scale * (place[:, None] - centre).square().clamp(max=4.0) + 0.01 * drawn


def weight(inputs: int, outputs: int, *, scale: float = 1.0) -> Parameter:
    """Matrix ``(inputs, outputs)`` starting at N(0, scale² / inputs), so that unit variance in gives `scale`² out."""
    return Parameter((inputs, outputs), "normal", scale / math.sqrt(inputs), decay=True)


def bias(size: int) -> Parameter:
    """Vector ``(size,)`` starting at zero; never decayed."""
    return Parameter((size,), "constant", 0.0, decay=False)


def gain(size: int) -> Parameter:
    """Scale of a layer norm ``(size,)`` starting at one; never decayed."""
    return Parameter((size,), "constant", 1.0, decay=False)


def table(rows: int, size: int, *, scale: float = 0.02) -> Parameter:
    """Learned rows ``(rows, size)`` starting at N(0, scale²); never decayed, as they are added like biases."""
    return Parameter((rows, size), "normal", scale, decay=False)


def fitted(*shape: int) -> Parameter:
    """Tensor that the member's ``fit`` computes from the training spectra; kept in full precision, never trained."""
    return Parameter(shape, "fitted", 0.0, decay=False)
