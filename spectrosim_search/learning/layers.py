"""Layers with a leading replicate axis, written by hand.

Legend: R replicates, M views (rows), T tokens, D features, H heads. All functions are pure; weights come in as
``(R, …)`` views of the flat parameter buffer. For R = 1 ``baddbmm`` runs as fast as ``linear`` on CPU (measured within
3 % from width 32 to 512 in float32 and bfloat16), so there is one path.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.learning.randomness import Stream

__all__ = ["ENCODER_USES", "Context", "attention", "layer_norm", "linear", "residual"]

ENCODER_USES = 160  # uses of a step's randomness that encoders have to themselves; heads and objectives come behind


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return ``x @ weight + bias`` per replicate: x ``(R, …, I)``, weight ``(R, I, O)``, bias ``(R, O)``."""
    flat = x.reshape(x.shape[0], -1, x.shape[-1])
    out = torch.bmm(flat, weight) if bias is None else torch.baddbmm(bias.unsqueeze(1), flat, weight)
    return out.view(*x.shape[:-1], weight.shape[-1])


def layer_norm(x: Tensor, gain: Tensor, bias: Tensor) -> Tensor:
    """Normalise the last axis of x ``(R, …, D)``, then scale and shift per replicate; gain and bias ``(R, D)``."""
    size = x.shape[-1]
    if x.shape[0] == 1:  # the fused kernel does scale and shift in the same pass
        return F.layer_norm(x, (size,), gain.squeeze(0), bias.squeeze(0))
    shape = (x.shape[0], *([1] * (x.dim() - 2)), size)
    return torch.addcmul(bias.view(shape), F.layer_norm(x, (size,)), gain.view(shape))


def residual(x: Tensor, branch: Tensor, mask: Tensor | None) -> Tensor:
    """Return ``x + branch``, the branch under a dropout mask where there is one; all ``(R, …)``."""
    return x + branch if mask is None else torch.addcmul(x, branch, mask)


def attention(query_key_value: Tensor, heads: int) -> Tensor:
    """Self-attention of x ``(R, M, T, 3 D)`` → ``(R, M, T, D)`` (Vaswani et al. 2017, eq. 1).

    Written as matmul, softmax, matmul: the fused kernel's bfloat16 backward is slower than its float32 one on CPU.
    """
    replicates, rows, tokens, triple = query_key_value.shape
    size = triple // (3 * heads)
    split = query_key_value.view(replicates * rows, tokens, 3, heads, size).permute(2, 0, 3, 1, 4)
    query, key, value = split.reshape(3, replicates * rows * heads, tokens, size).unbind(0)
    weights = torch.softmax(torch.bmm(query * size**-0.5, key.transpose(1, 2)), dim=-1)
    mixed = torch.bmm(weights, value).view(replicates * rows, heads, tokens, size)
    return mixed.transpose(1, 2).reshape(replicates, rows, tokens, heads * size)


@dataclass
class Context:
    """What a forward pass knows beside its inputs.

    axis: ``(R, L)`` m/z, wavelength or wavenumber, in the data's unit. values: ``(R,)`` tensors of the settings that
    may differ between the replicates of a stack (those declared without ``shapes=True``). stream: the replicates'
    randomness in training, None in inference. Draws of a pass take consecutive use numbers, so they depend on the
    architecture and the step alone. constants: what a member computes once for a stack, by name. spectra: the input
    ``(R, M, L)`` as it was before it was brought to the encoder's type of computing. penalties: what :meth:`penalty`
    was given. silent: settings that are zero in every replicate, so that nothing need be drawn for them. tokens: takes
    what :meth:`show` is given, None where nobody asks.
    """

    axis: Tensor
    values: Mapping[str, Tensor]
    stream: Stream | None = None
    use: int = 0
    constants: dict[str, Tensor] = field(default_factory=dict)
    spectra: Tensor | None = None
    penalties: list[Tensor] = field(default_factory=list)
    silent: frozenset[str] = frozenset()
    tokens: list[Tensor] | None = None

    @property
    def training(self) -> bool:
        """Whether this pass belongs to a training step."""
        return self.stream is not None

    def penalty(self, term: Tensor) -> None:
        """Add a term ``(R,)`` to the loss of this step; for use in training only."""
        self.penalties.append(term)

    def show(self, tokens: Tensor) -> Tensor:
        """Return tokens ``(R, M, T, D)`` that lie along the axis, the last before they are pooled, to whoever asked."""
        if self.tokens is not None:
            self.tokens.append(tokens)
        return tokens

    def noise(self, x: Tensor, deviation: str) -> Tensor:
        """Return x ``(R, …)`` with normal noise of the deviation ``values[deviation]`` added; x itself in inference."""
        if self.stream is None or deviation in self.silent:
            self.use += 1
            return x
        scale = self.values[deviation].to(x.dtype).view(-1, *[1] * (x.dim() - 1))
        return torch.addcmul(x, scale, self.normal(x.shape[1:]).to(x.dtype))

    def normal(self, shape: Sequence[int]) -> Tensor:
        """Return standard normals ``(R, *shape)`` in the axis's type; for use in training only."""
        if self.stream is None:
            raise ValueError("nothing is drawn in inference")
        first, self.use = self.use, self.use + 1
        return self.stream.normal(first, math.prod(shape)).to(self.axis.dtype).view(-1, *shape)

    def constant(self, name: str, build: Callable[[], Tensor]) -> Tensor:
        """Return a tensor that depends on the axis and the architecture alone, built at its first use."""
        if name not in self.constants:
            self.constants[name] = build()
        return self.constants[name]

    def dropout(self, x: Tensor, rate: str = "dropout") -> Tensor:
        """Zero values of x ``(R, …)`` with probability ``values[rate]`` and rescale the rest; identity in inference."""
        mask = self.masks(1, x, rate)[0]
        return x if mask is None else x * mask

    def masks(self, count: int, like: Tensor, rate: str = "dropout") -> list[Tensor | None]:
        """Return `count` dropout masks of the shape and type of `like` ``(R, …)``, drawn together; None in inference.

        A mask holds 0 with probability ``values[rate]``, else the scale that keeps the mean.
        """
        first, self.use = self.use, self.use + count
        if self.stream is None or rate in self.silent:
            return [None] * count
        return list(self.stream.dropout(like, self.values[rate], first, count).unbind(1))
