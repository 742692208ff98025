"""The pretext of the NIR paper: spectra changed in one of six ways, and what a network is asked about them.

Zhao et al., Anal. Methods 17, 1090 (2025), section 3.1.1: noise, offset, multiplication, horizontal flip, vertical
flip and permutation of segments; seven heads with one logit each say whether a spectrum is unchanged or was changed in
their way; the loss is the weighted sum of the binary cross-entropies (eq. 2).

The paper bounds offset and multiplication by a share of the training set's standard deviation. An offset drawn near
zero cannot be told from none, so a strength is never drawn below half of its bound. The horizontal flip mirrors a
spectrum at its mean, the vertical flip along the axis.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.learning.randomness import RowStream

__all__ = ["TRANSFORMATIONS", "Pretext", "pretext_loss", "transform"]

TRANSFORMATIONS = ("noise", "offset", "multiplication", "horizontal-flip", "vertical-flip", "permutation")
_MOST_SEGMENTS = 64


@dataclass(frozen=True)
class Pretext:
    """Which transformations are shown and how strong they are.

    kinds: numbers from 1 in `TRANSFORMATIONS`; 0 is the unchanged spectrum, always shown. weights: of the heads, the
    unchanged spectrum's first, then one for each of `kinds`. noise, offset: in standard deviations of the training
    spectra. versions: of each spectrum shown in an epoch, drawn anew each time; as many as there are heads shows each.
    """

    kinds: tuple[int, ...] = (1, 2, 3, 4, 5, 6)
    weights: tuple[float, ...] = (1.0,) * 7
    noise: float = 0.1
    offset: float = 0.1
    multiplication: float = 0.1
    segments: int = 4
    versions: int = 2

    @property
    def heads(self) -> int:
        """Questions asked about every spectrum."""
        return 1 + len(self.kinds)


def transform(x: Tensor, kind: Tensor, pretext: Pretext, spread: Tensor, random: RowStream) -> Tensor:
    """Return x ``(R, M, L)``, each row changed as its number in `TRANSFORMATIONS` ``(R, M)`` says; 0: unchanged.

    spread: standard deviation of the training spectra, a scalar tensor.
    """
    length = x.shape[-1]
    drawn = random.uniform(2).to(x.dtype)
    amount = (drawn[..., :1] < 0.5).to(x.dtype).mul(2).sub(1) * (0.5 + 0.5 * drawn[..., 1:])  # ±, from half to all
    changed: tuple[Callable[[], Tensor], ...] = (
        lambda: x + pretext.noise * spread * random.normal(length).to(x.dtype),
        lambda: x + pretext.offset * spread * amount,
        lambda: x * (1 + pretext.multiplication * amount),
        lambda: 2 * x.mean(dim=-1, keepdim=True) - x,
        lambda: x.flip(-1),
        lambda: _permuted(x, pretext.segments, random),
    )
    out = x
    for number, change in enumerate(changed, start=1):
        if number in pretext.kinds:
            out = torch.where((kind == number).unsqueeze(-1), change(), out)
    return out


def _permuted(x: Tensor, segments: int, random: RowStream) -> Tensor:
    """Segments of equal length in another order, never their own; the remainder at the upper end stays in place."""
    length = x.shape[-1]
    segments = max(1, min(segments, length, _MOST_SEGMENTS))
    size = length // segments
    order = random.uniform(segments).argsort(dim=-1, stable=True)
    own = torch.arange(segments, device=x.device)
    order = torch.where((order == own).all(dim=-1, keepdim=True), order.roll(1, dims=-1), order)
    inside = torch.arange(segments * size, device=x.device)
    source = order[..., inside // size] * size + inside % size
    return torch.cat([x[..., : segments * size].gather(-1, source), x[..., segments * size :]], dim=-1)


def pretext_loss(logits: Tensor, kind: Tensor, pretext: Pretext) -> Tensor:
    """Return the weighted sum of the heads' mean binary cross-entropies of logits ``(R, M, heads)`` → ``(R,)``.

    kind: ``(R, M)``. With h heads a version of a spectrum answers yes at one of them only; yes and no count as they
    come, as in the paper.
    """
    asked = torch.tensor((0, *pretext.kinds), device=kind.device)
    target = (kind.unsqueeze(-1) == asked).to(logits.dtype)
    losses = F.binary_cross_entropy_with_logits(logits, target, reduction="none").mean(dim=1)
    return losses @ torch.tensor(pretext.weights, dtype=logits.dtype, device=logits.device)
