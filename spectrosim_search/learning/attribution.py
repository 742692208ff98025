"""Where along the axis a model looks when it calls two spectra the same.

Integrated gradients: Sundararajan, Taly and Yan (2017), Axiomatic attribution for deep networks. Grad-CAM: Selvaraju et
al. (2017). Shuffled weights as a sanity check: Adebayo et al. (2018), Sanity checks for saliency maps.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.learning.comparison import pair_similarity
from spectrosim_search.learning.network import Network

__all__ = ["grad_cam", "integrated_gradients", "shuffled"]

Floats = NDArray[np.float32]

_ROWS = 256  # spectra differentiated at a time


def integrated_gradients(
    network: Network, spectra: Floats, partners: Floats, baselines: Floats, *, steps: int = 16
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What in each spectrum makes it more similar to its partner than its baseline is.

    spectra, partners, baselines: preprocessed ``(P, L)``. Returns the attributions ``(P, L)`` of the similarity
    and what they sum to in truth ``(P,)``: similarity of spectrum and partner minus that of baseline and partner
    (completeness; the two differ by what a rule of `steps` midpoints misses). The partner is held fixed.
    """
    shares = (np.arange(steps, dtype=np.float32) + 0.5) / steps
    attributed = np.zeros(spectra.shape, dtype=np.float64)
    change = np.zeros(spectra.shape[0], dtype=np.float64)
    at_once = max(1, _ROWS // steps)
    for first in range(0, spectra.shape[0], at_once):
        own = slice(first, first + at_once)
        with torch.no_grad():
            to = network(network.tensor(partners[own]))
            ends = [_similarity(network, network(network.tensor(s[own])), to) for s in (spectra, baselines)]
        change[own] = (ends[0] - ends[1]).cpu().numpy()
        way = spectra[own] - baselines[own]
        path = baselines[own][:, None] + shares[None, :, None] * way[:, None]
        x = network.tensor(path.reshape(-1, spectra.shape[1])).requires_grad_()
        similarity = _similarity(network, network(x), to.repeat_interleave(steps, dim=0))
        (slope,) = torch.autograd.grad(similarity.sum(), x)
        mean = slope.view(len(way), steps, -1).mean(dim=1).cpu().numpy()
        attributed[own] = mean.astype(np.float64) * way
    return attributed, change


def grad_cam(network: Network, spectra: Floats, partners: Floats) -> NDArray[np.float64] | None:
    """Tokens that speak for the similarity of each spectrum ``(P, L)`` with its partner, spread over the channels.

    ``(P, L)``, at least 0: features of the last tokens before pooling, weighted by their mean gradient along the axis.
    A token stands for an equal share of the channels; ensembles and encoders of several token lengths are averaged,
    each brought to a maximum of one. None where the encoder has no tokens along the axis.
    """
    length = spectra.shape[1]
    out = np.zeros(spectra.shape, dtype=np.float64)
    for first in range(0, spectra.shape[0], _ROWS):
        own = slice(first, first + _ROWS)
        with torch.no_grad():
            to = network(network.tensor(partners[own]))
        tokens: list[Tensor] = []
        similarity = _similarity(network, network(network.tensor(spectra[own]).requires_grad_(), tokens), to)
        if not tokens:
            return None
        slopes = torch.autograd.grad(similarity.sum(), tokens)
        for h, slope in zip(tokens, slopes):
            maps = F.relu((h * slope.mean(dim=2, keepdim=True)).sum(dim=-1)).detach()  # (members, P, T)
            maps = maps / maps.amax(dim=-1, keepdim=True).clamp(min=1e-12)
            place = (np.arange(length) * maps.shape[-1]) // length
            out[own] += maps.mean(dim=0).cpu().numpy()[:, place] / len(tokens)
    return out


def _similarity(network: Network, rows: Tensor, others: Tensor) -> Tensor:
    return pair_similarity(rows, others, network.own)


def shuffled(parameters: Mapping[str, Floats], seed: int) -> dict[str, Floats]:
    """The same values in every tensor, in a random order: a model of equal scale that has learnt nothing."""
    rng = np.random.default_rng(seed)
    return {name: rng.permutation(value.ravel()).reshape(value.shape) for name, value in sorted(parameters.items())}
