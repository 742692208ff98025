"""Drawing synthetic spectra from a trained generator.

A synthetic spectrum starts from a training spectrum of its class: without a share of its peaks it is encoded, its
hidden vector decoded, and the result mixed with the source. What comes out is then changed as another acquisition
would change it (:mod:`spectrosim_search.learning.acquisition`). A class without training spectra is decoded from its
vector alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.acquisition import Variation, limits, vary
from spectrosim_search.learning.randomness import RowStream, Stream
from spectrosim_search.learning.rebuilding import even, remove_peaks
from spectrosim_search.learning.synthesis import Autoencoder, Prescribed, SynthesisData

__all__ = ["Drawing", "draw"]

_REMOVAL, _HIDDEN, _VARIATION = 8, 16, 32  # uses of the randomness of one drawing
_CHUNK = 4096  # spectra drawn at once


@dataclass(frozen=True)
class Drawing:
    """How spectra are drawn: `blend` is the decoder's share, `jitter` noise on the hidden vector (its own size is 1),
    `transfer` the share of spectra that take over a donor's limits."""

    blend: float
    jitter: float
    transfer: float
    variation: Variation


def draw(
    parameters: Mapping[str, NDArray[np.float32]],
    data: SynthesisData,
    settings: Prescribed,
    configuration: Configuration,
    drawing: Drawing,
    sources: NDArray[np.int64],
    classes: NDArray[np.int64],
    seed: int,
    *,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Return one spectrum ``(m, L)`` for each of `sources` ``(m,)``, rows of the training spectra, -1 for none.

    classes ``(m,)``: the class of each, whose vector is decoded where there is no source. Every spectrum has the
    Euclidean length of its source (the mean of all training spectra where there is none). Where `blend` is 0 and all
    have sources, the autoencoder takes no part and `parameters` may be empty.
    """
    where = torch.device(device)
    axis = torch.from_numpy(data.axis).to(where, torch.float32)
    train = torch.from_numpy(data.spectra).to(where)
    donors = limits(train, axis)[None]
    spread = torch.tensor(drawing.variation.spreads, device=where).view(1, 1, 3)
    transfer = torch.tensor(drawing.transfer, device=where).view(1, 1, 1)
    pieces = []
    for start in range(0, sources.size, _CHUNK):
        part = slice(start, start + _CHUNK)
        at, code = sources[part], classes[part]
        stream = Stream.of_seeds([seed], start // _CHUNK, "views")
        if where.type != "cpu":
            stream = Stream(stream.first.to(where), stream.second.to(where))
        source = torch.from_numpy(at).to(where)
        x = torch.where((source >= 0)[:, None], train[source.clamp(min=0)], 0.0)
        known = (source >= 0)[:, None]
        size = torch.where(known, x.norm(dim=1, keepdim=True), train.norm(dim=1).mean())
        shown = remove_peaks(even(x), settings.removal, RowStream(stream, at.size, _REMOVAL))
        mixed = x / x.norm(dim=1, keepdim=True).clamp(min=1e-12)
        if drawing.blend > 0 or bool((source < 0).any()):
            made = _decoded(parameters, data, settings, configuration, shown, source, code, drawing.jitter, stream)
            made = made / made.norm(dim=1, keepdim=True).clamp(min=1e-12)
            mixed = torch.where(known, (1 - drawing.blend) * mixed + drawing.blend * made, made)
        out = vary(mixed[None], axis[None], spread, donors, transfer, RowStream(stream, at.size, _VARIATION))[0]
        pieces.append((out / out.norm(dim=1, keepdim=True).clamp(min=1e-12) * size).cpu().numpy())
    return np.concatenate(pieces).astype(np.float32) if pieces else np.zeros((0, data.axis.size), np.float32)


@torch.no_grad()
def _decoded(
    parameters: Mapping[str, NDArray[np.float32]],
    data: SynthesisData,
    settings: Prescribed,
    configuration: Configuration,
    shown: Tensor,
    source: Tensor,
    code: NDArray[np.int64],
    jitter: float,
    stream: Stream,
) -> Tensor:
    """Spectra ``(m, L)`` that general and specialised decoders make of the hidden vectors, cut at 0."""
    model = Autoencoder(settings, configuration, data, shown.device.type)
    p = {n: torch.from_numpy(v).to(shown.device)[None] for n, v in parameters.items() if not n.startswith("special.")}
    own = {
        n.replace("special.", "decoder."): torch.from_numpy(v).to(shown.device)
        for n, v in parameters.items()
        if n.startswith("special.")
    }
    h = model.encode(p, shown[None], None, [])[0]
    h = torch.where((source >= 0)[:, None], h, p["vectors"][0][torch.from_numpy(code).to(shown.device)])
    h = h + jitter * RowStream(stream, code.size, _HIDDEN).normal(h.shape[1])[0]
    if not own:
        return model.decode(p, h[None])[0].clamp(min=0.0)
    out = torch.empty(h.shape[0], data.axis.size, device=h.device)
    for value in np.unique(code):
        rows = torch.from_numpy(np.flatnonzero(code == value)).to(h.device)
        special = p | {n: v[int(value)][None] for n, v in own.items()}
        out[rows] = model.decode(special, h[rows][None])[0].clamp(min=0.0)
    return out
