"""Peak graph: the strongest peaks of a spectrum as nodes, their differences along the axis as edges.

What the papers wish for and none has (SpectroSim chapter, open wishes): isotopes, adducts and neutral losses are
differences between peaks, whatever their place, and a graph network can look at differences.

Nodes. Preprocessed spectra may be centred and scaled, so a peak is a local maximum of the absolute value: what stands
out from the channel's training mean, above it or below, its sign kept. Where spectra are non-negative (no column
scaling: there this encoder does best) that is an ordinary peak. Of a plateau the first channel counts. The K highest
peaks are kept, of equal ones those that come first; fewer leave nodes empty, and empty nodes take no part. The choice
has no gradient, the values at the chosen places have. A node holds the spectrum around its peak, relative to the root
mean square of the kept peaks (so total intensity, a nuisance, is gone), scaled and shifted by waves of its place.

Edges. Attention between nodes (Vaswani et al. 2017) whose logits know the difference of places in two ways. Learned
radial bases of the distance, as in SchNet (Schütt et al. 2017, eq. 5) but over its asinh in channels, fine where
isotopes lie and coarse far away, give each head a bias (Ying et al. 2021, eq. 6). Rotations of queries and keys by
their place (Su et al. 2021, eq. 34) make waves of the signed difference that resolve single channels far away too,
where neutral losses lie. Places are counted in mean channel widths, so m/z, wavelengths and uneven axes all serve. Each
node also sees an empty partner of logit 0: attention can tell that nothing lies at a difference.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import field
from spectrosim_search.learning.layers import Context, layer_norm, linear, residual
from spectrosim_search.learning.layers_peaks import at_places, highest_peaks, surroundings
from spectrosim_search.learning.parameters import Parameter, bias, gain, weight

__all__ = ["Settings", "check", "forward", "outputs", "parameters"]

_FREQUENCIES = 24  # waves of a node's place: from half a turn over the axis to one turn every four channels
_FASTEST = 0.25  # turns per channel; a peak's apex is not known better than to a channel or so
_FAR = 40.0  # e⁻⁴⁰ is nothing, and smaller numbers are slow
_NEVER = -1e30  # a logit that takes no share; finite, so that 0 * logit stays 0


@dataclass(frozen=True)
class Settings:
    """Settings of the peak graph."""

    peaks: int = field(48, "highest peaks kept of a spectrum", low=1, high=1024, shapes=True)
    apart: int = field(
        1,
        "a peak is the highest value among so many neighbours on each side",
        unit="channels",
        low=1,
        high=64,
        shapes=True,
    )
    around: int = field(
        3, "neighbours on each side of a peak that its node sees", unit="channels", low=0, high=64, shapes=True
    )
    width: int = field(32, "features of a node", low=4, high=1024, shapes=True)
    rounds: int = field(2, "rounds of messages between nodes", low=1, high=16, shapes=True)
    heads: int = field(4, "attention heads; the width is a multiple of twice as many", low=1, high=64, shapes=True)
    bases: int = field(8, "radial bases of the distance along the axis", low=2, high=256, shapes=True)
    expansion: float = field(2.0, "width of the feed-forward layer over the node width", low=0.25, high=16, shapes=True)
    dropout: float = field(0.1, "share of features dropped after each half round", low=0.0, high=0.9)
    out: int = field(64, "size of the embedding", low=2, high=4096, shapes=True)


def check(settings: Settings) -> list[str]:
    """Return what contradicts itself."""
    if settings.width % (2 * settings.heads):
        return [f"width {settings.width} is not a multiple of twice the heads {settings.heads}"]
    return []


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.out


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors. Raises ConfigurationError on contradictory settings."""
    if problems := check(settings):
        raise ConfigurationError(problems)
    width, hidden = settings.width, max(1, round(settings.width * settings.expansion))
    branch = 1 / math.sqrt(2 * settings.rounds)  # keeps the residual stream's variance near one at the start
    out = {
        "peak.weight": weight(2 * settings.around + 1, width),
        "peak.bias": bias(width),
        "place.weight": weight(2 * _FREQUENCIES, 2 * width, scale=0.5),
        "place.bias": bias(2 * width),
        # how far centres and log widths of the bases have moved from their even places
        "bases.centre": bias(settings.bases),
        "bases.width": bias(settings.bases),
        "bases.weight": weight(settings.bases, settings.rounds * settings.heads),
    }
    for turn in range(settings.rounds):
        name = f"round{turn}."
        out |= {
            name + "norm1.gain": gain(width),
            name + "norm1.bias": bias(width),
            name + "attention.weight": weight(width, 3 * width),
            name + "attention.bias": bias(3 * width),
            name + "mix.weight": weight(width, width, scale=branch),
            name + "mix.bias": bias(width),
            name + "norm2.gain": gain(width),
            name + "norm2.bias": bias(width),
            name + "expand.weight": weight(width, hidden),
            name + "expand.bias": bias(hidden),
            name + "shrink.weight": weight(hidden, width, scale=branch),
            name + "shrink.bias": bias(width),
        }
    return out | {
        "norm.gain": gain(width),
        "norm.bias": bias(width),
        "out.weight": weight(2 * width, settings.out),
        "out.bias": bias(settings.out),
    }


def _channels(axis: Tensor) -> Tensor:
    """Return places on the axis ``(R, L)`` in mean channel widths from its first end, in double precision.

    Double, as angles of fast waves would else lose the digits in which a spectrum's two ends differ.
    """
    axis = axis.double()
    span = axis[:, -1:] - axis[:, :1]
    return (axis - axis[:, :1]) / torch.where(span == 0, 1.0, span) * (axis.shape[1] - 1)


def _waves(axis: Tensor, count: int) -> Tensor:
    """Return sines and cosines of `count` frequencies at each channel: axis ``(R, L)`` → ``(R, L, 2 count)``."""
    slowest, fastest = 0.5 / axis.shape[1], max(_FASTEST, 0.5 / axis.shape[1])
    turns = torch.logspace(math.log2(slowest), math.log2(fastest), count, base=2.0, dtype=torch.float64)
    angle = 2 * math.pi * _channels(axis).unsqueeze(-1) * turns.to(axis.device)
    return torch.cat([angle.sin(), angle.cos()], dim=-1).to(axis.dtype)


def _biases(settings: Settings, p: Mapping[str, Tensor], place: Tensor, present: Tensor, length: int) -> Tensor:
    """Return what edges add to logits, ``(R, rounds, heads, M, K, K + 1)``; the last column is the empty partner.

    place: ``(R, M, K)`` in channel widths, `length` at most; distances are computed in its type, as bfloat16 lacks the
    digits. Edges are the last axis of the product with the bases' weights, so that its result needs no transposing.
    """
    even = torch.linspace(0, math.asinh(max(length - 1, 1)), settings.bases, dtype=place.dtype, device=place.device)
    # so that neighbouring bases meet at 0.78 of their height
    narrow = torch.exp(p["bases.width"].to(place.dtype)) / even[1]
    shifted = (even + p["bases.centre"].to(place.dtype)) * narrow
    distance = torch.asinh((place.unsqueeze(-1) - F.pad(place, (0, 1)).unsqueeze(-2)).abs()).unsqueeze(1)
    shape = (place.shape[0], settings.bases, 1, 1, 1)
    kind = p["bases.weight"].dtype
    from_centre = torch.addcmul(-shifted.view(shape), distance, narrow.view(shape)).to(kind)
    bumps = torch.exp(-from_centre.square().clamp(max=_FAR))
    logits = torch.bmm(p["bases.weight"].transpose(1, 2), bumps.flatten(2))
    split = logits.view(place.shape[0], settings.rounds, settings.heads, *bumps.shape[2:])
    instead = F.pad(torch.full_like(split[0, 0, 0, 0, 0, :-1], _NEVER), (0, 1))
    return torch.where(F.pad(present, (0, 1))[:, None, None, :, None], split, instead)


def _rotated(x: Tensor, waves: Tensor) -> Tensor:
    """Rotate pairs of features of x ``(R, M, K, D)`` by the angles whose sines and cosines are `waves`, the same shape.

    The dot product of two rotated vectors depends on their places through the difference alone.
    """
    one, two = x.chunk(2, dim=-1)
    sine, cosine = waves.chunk(2, dim=-1)
    return torch.cat([one * cosine - two * sine, one * sine + two * cosine], dim=-1)


def _heads(x: Tensor, heads: int, empty: int) -> Tensor:
    """Split features of x ``(R, M, K, D)`` into heads, ``(R heads M, K + empty, D / heads)``, zeros for empty partners.

    A head takes every so manyth feature, so that each gets slow and fast rotations.
    """
    replicates, rows, nodes, width = x.shape
    split = x.view(replicates, rows, nodes, width // heads, heads).permute(0, 4, 1, 2, 3)
    return F.pad(split, (0, 0, 0, empty)).reshape(-1, nodes + empty, width // heads)


def _messages(query_key_value: Tensor, waves: Tensor, logits: Tensor, heads: int) -> Tensor:
    """Return what each node gets from its partners, ``(R, M, K, D)``, from x ``(R, M, K, 3 D)``.

    waves: ``(R, M, K, D)``. logits: ``(R, heads, M, K, K + 1)``, added to those of queries and keys.
    """
    query, key, value = query_key_value.chunk(3, dim=-1)
    replicates, rows, nodes, width = query.shape
    query, key = _rotated(query, waves), _rotated(key, waves)
    one = _heads(query * (width // heads) ** -0.5, heads, 0)
    two, three = _heads(key, heads, 1), _heads(value.contiguous(), heads, 1)
    weights = torch.softmax(torch.baddbmm(logits.flatten(0, 2), one, two.transpose(1, 2)), dim=-1)
    mixed = torch.bmm(weights, three).view(replicates, heads, rows, nodes, width // heads)
    return mixed.permute(0, 2, 3, 4, 1).reshape(replicates, rows, nodes, width)


def _nodes(
    settings: Settings, p: Mapping[str, Tensor], x: Tensor, place: Tensor, present: Tensor, waves: Tensor
) -> Tensor:
    """Return the nodes ``(R, M, K, D)`` of spectra x ``(R, M, L)``; waves: ``(R, M, K, F)`` of their places."""
    seen = surroundings(x, place, settings.around)
    count = present.sum(dim=-1, keepdim=True).clamp(min=1)
    power = (seen[..., settings.around].square() * present).sum(dim=-1, keepdim=True) / count
    seen = seen * power.clamp(min=1e-24).rsqrt().unsqueeze(-1)
    kind = p["peak.weight"].dtype
    scale, shift = linear(waves.to(kind), p["place.weight"], p["place.bias"]).chunk(2, dim=-1)
    return torch.addcmul(shift, linear(seen.to(kind), p["peak.weight"], p["peak.bias"]), 1 + scale)


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``: mean and maximum over nodes after the last round, projected.

    Peaks are chosen on the spectra before they were rounded to the encoder's type, as rounding makes neighbours equal.
    Rounds are pre-norm (Xiong et al. 2020); dropout acts on both residual branches.
    """
    axis, length, kind = context.axis, x.shape[-1], x.dtype
    spectra = x if context.spectra is None else context.spectra
    place, present = highest_peaks(spectra, settings.peaks, settings.apart)
    waves = context.constant("peak waves", lambda: math.sqrt(2) * _waves(axis, _FREQUENCIES))
    turns = context.constant("peak turns", lambda: _waves(axis, settings.width // 2).to(kind))
    channels = context.constant("peak channels", lambda: _channels(axis).to(axis.dtype).unsqueeze(-1))
    h = _nodes(settings, p, spectra, place, present, at_places(waves, place))
    turned = at_places(turns, place)
    edges = _biases(settings, p, at_places(channels, place).squeeze(-1), present, length)
    masks = context.masks(2 * settings.rounds, h)
    for turn in range(settings.rounds):
        name = f"round{turn}."
        y = layer_norm(h, p[name + "norm1.gain"], p[name + "norm1.bias"])
        y = linear(y, p[name + "attention.weight"], p[name + "attention.bias"])
        y = _messages(y, turned, edges[:, turn], settings.heads)
        h = residual(h, linear(y, p[name + "mix.weight"], p[name + "mix.bias"]), masks[2 * turn])
        y = layer_norm(h, p[name + "norm2.gain"], p[name + "norm2.bias"])
        y = F.gelu(linear(y, p[name + "expand.weight"], p[name + "expand.bias"]))
        h = residual(h, linear(y, p[name + "shrink.weight"], p[name + "shrink.bias"]), masks[2 * turn + 1])
    h = layer_norm(h, p["norm.gain"], p["norm.bias"])
    here = present.unsqueeze(-1)
    mean = (h * here).sum(dim=2) / here.sum(dim=2).clamp(min=1)
    most = torch.where(here.any(dim=2), h.masked_fill(~here, _NEVER).amax(dim=2), 0.0)
    return linear(torch.cat([mean, most], dim=-1), p["out.weight"], p["out.bias"])
