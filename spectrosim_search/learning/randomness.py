"""Randomness as a function of (seed, step, use, element), never of a generator's state.

Every number is a hash of a counter: it does not depend on the place of a replicate in its stack, on its neighbours, on
the device or on what was drawn before, and needs no state inside a CUDA graph. The mixing is the 32-bit finaliser
"lowbias32" (multiplications and xor-shifts; Wellons 2018), keyed with 64 bits: one word before, one between its rounds,
so that no two streams are shifted copies of each other. All arithmetic is int32 with wrap-round, equal on CPU and GPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

__all__ = ["USES", "Purpose", "RowStream", "Stream", "seed_words", "uniform_of", "words"]

Purpose = Literal["step", "start", "order", "views"]
_PURPOSES = ("step", "start", "order", "views")
USES = 256  # distinct uses of randomness within one step
_MASK64 = (1 << 64) - 1
_GOLDEN, _FIRST, _SECOND = -1640531527, 2146121005, -2073254261  # 0x9E3779B9, 0x7FEB352D, 0x846CA68B as int32
# operands as tensors without dimensions: torch converts a plain number anew at every call
_BY16, _BY15, _LOW16, _LOW17, _ODD1, _ODD2 = (
    torch.tensor(v, dtype=torch.int32) for v in (16, 15, 0xFFFF, 0x1FFFF, _FIRST, _SECOND)
)


def _signed(word: int) -> int:
    return word - (1 << 32) if word >= 1 << 31 else word


def seed_words(seed: int, purpose: Purpose = "step") -> tuple[int, int]:
    """Return two int32 words from any integer seed (splitmix64, Steele et al. 2014).

    `purpose` keeps starting values, batch order, views and the network's draws inside a step apart.
    """
    z = (seed * 4 + _PURPOSES.index(purpose) + 1) * 0x9E3779B97F4A7C15 & _MASK64
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & _MASK64
    z ^= z >> 31
    return _signed(z >> 32), _signed(z & 0xFFFFFFFF)


def _mixed(x: Tensor, between: Tensor | int) -> Tensor:
    """Scramble int32 words in place and return them; `between` is added after the first round."""
    x ^= (x >> _BY16).bitwise_and_(_LOW16)  # the mask makes the arithmetic shift a logical one
    x *= _ODD1
    x += between
    x ^= (x >> _BY15).bitwise_and_(_LOW17)
    x *= _ODD2
    x ^= (x >> _BY16).bitwise_and_(_LOW16)
    return x


def words(first: Tensor, second: Tensor, count: int, start: int = 0) -> Tensor:
    """Return int32 words ``(*K, count)`` of elements `start`… for keys `first`, `second`, int32 ``(*K,)``."""
    return _words_at(torch.arange(start, start + count, dtype=torch.int32, device=first.device), first, second)


def _words_at(element: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """Return int32 words ``(*K, E)`` of the elements int32 ``(E,)``."""
    return _mixed((element * _GOLDEN) ^ first.unsqueeze(-1), second.unsqueeze(-1))


def uniform_of(word: Tensor) -> Tensor:
    """Return float32 in [0, 1) from the upper 24 bits."""
    return ((word >> 8) & 0xFFFFFF).to(torch.float32) * 2.0**-24


@dataclass
class Stream:
    """The randomness of one step of a stack: keys of all uses, int32 ``(R, USES)`` each."""

    first: Tensor
    second: Tensor

    @classmethod
    def at(cls, seeds: Tensor, step: int | Tensor) -> Stream:
        """Build for seeds ``(R, 2)`` int32 (from :func:`seed_words`) at one step."""
        use = torch.arange(USES, dtype=torch.int32, device=seeds.device) * _GOLDEN
        step = torch.as_tensor(step, dtype=torch.int32, device=seeds.device)
        base = _mixed(seeds ^ (step * _FIRST), 0)
        first = _mixed(use ^ base[:, :1], base[:, 1:])
        return cls(first, _mixed(first ^ base[:, 1:], base[:, :1]))

    @classmethod
    def of_seeds(cls, seeds: Sequence[int], step: int, purpose: Purpose = "step") -> Stream:
        """Build on the CPU from plain seeds."""
        return cls.at(torch.tensor([seed_words(s, purpose) for s in seeds], dtype=torch.int32).view(-1, 2), step)

    def words(self, use: int, count: int) -> Tensor:
        """Return int32 words ``(R, count)``."""
        return words(self.first[:, use], self.second[:, use], count)

    def uniform(self, use: int, count: int) -> Tensor:
        """Return float32 ``(R, count)`` in [0, 1)."""
        return uniform_of(self.words(use, count))

    def normal(self, use: int, count: int) -> Tensor:
        """Return standard normals, float32 ``(R, count)`` (Box and Muller 1958)."""
        half = (count + 1) // 2
        drawn = uniform_of(self.words(use, 2 * half))
        radius = (-2 * torch.log(1 - drawn[:, :half])).sqrt_()
        angle = drawn[:, half:] * (2 * math.pi)
        return torch.cat([radius * angle.cos(), radius * angle.sin()], dim=-1)[:, :count]

    def dropout(self, like: Tensor, rate: Tensor, use: int, masks: int) -> Tensor:
        """Return dropout masks ``(R, masks, …)`` for tensors like `like` ``(R, …)``, of uses `use`, `use` + 1, ….

        A mask holds 0 with probability `rate` ``(R,)``, else the scale that keeps the mean. Each 32-bit word serves
        four elements, so the rate is rounded to 1/256; the scale uses the rounded rate.
        """
        count = like[0].numel()
        threshold = (rate * 256).round().clamp(0, 255)
        scale = (256 / (256 - threshold)).to(like.dtype).view(-1, 1, 1)
        uses = slice(use, use + masks)
        drawn = words(self.first[:, uses], self.second[:, uses], (count + 3) // 4)
        byte = drawn.view(torch.uint8)[..., :count].to(torch.int16)
        # -1 below the threshold, 0 from it on: shifts and additions run vectorised on CPU, comparisons do not
        below = byte.sub_(threshold.to(torch.int16).view(-1, 1, 1)).bitwise_right_shift_(15)
        return below.to(like.dtype).add_(1).mul_(scale).view(like.shape[0], masks, *like.shape[1:])


@dataclass
class RowStream:
    """The randomness of one augmentation: independent numbers for each of M rows; each call is a use of its own.

    picked: int64 ``(m,)``, the rows that are asked for; each gets the numbers it has among all, bit for bit. None: all.
    """

    stream: Stream
    rows: int
    use: int
    picked: Tensor | None = None

    def uniform(self, count: int) -> Tensor:
        """Return float32 ``(R, M, count)`` in [0, 1); M is m where rows are picked."""
        self.use += 1
        if self.picked is None:
            return self.stream.uniform(self.use, self.rows * count).view(-1, self.rows, count)
        return self._at(self._elements(self.picked, count)).view(-1, self.picked.numel(), count)

    def normal(self, count: int) -> Tensor:
        """Return standard normals, float32 ``(R, M, count)``; M is m where rows are picked."""
        self.use += 1
        if self.picked is None:
            return self.stream.normal(self.use, self.rows * count).view(-1, self.rows, count)
        # as `Stream.normal`: the elements of the upper half take the sines of the lower half's pairs of numbers
        element = self._elements(self.picked, count)
        half = (self.rows * count + 1) // 2
        upper = element >= half
        lower = torch.where(upper, element - half, element)
        radius = (-2 * torch.log(1 - self._at(lower))).sqrt_()
        angle = self._at(lower + half) * (2 * math.pi)
        split = int((~upper).sum()) if self.rows % 2 == 0 else -1
        if split < 0 or bool(upper[:split].any()):
            turned = torch.where(upper, angle.sin(), angle.cos())
        else:
            turned = torch.cat([angle[:, :split].cos(), angle[:, split:].sin()], dim=-1)
        return (radius * turned).view(-1, self.picked.numel(), count)

    def _elements(self, picked: Tensor, count: int) -> Tensor:
        return (picked.unsqueeze(-1) * count + torch.arange(count, device=picked.device)).view(-1).to(torch.int32)

    def _at(self, element: Tensor) -> Tensor:
        return uniform_of(_words_at(element, self.stream.first[:, self.use], self.stream.second[:, self.use]))
