"""The rival generator: a variational autoencoder (Kingma and Welling 2014) that draws around training spectra.

Dense layers as in :mod:`spectrosim_search.learning.synthesis`, but the hidden vector is learnt: a spectrum becomes a
mean and a deviation, a draw from them is decoded. What is drawn around a spectrum has its class.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.encoders.vae import divergence, rebuilding_error
from spectrosim_search.learning.model import Layout
from spectrosim_search.learning.optimiser import AdamW
from spectrosim_search.learning.order import PlainOrder
from spectrosim_search.learning.randomness import Stream, seed_words
from spectrosim_search.learning.rebuilding import even
from spectrosim_search.learning.steps import stepped, stepped_parameters, widths

__all__ = ["vae_spectra"]

_NOISE_USE = 8
_BOUND = 8.0  # log variances stay inside ± this


def vae_spectra(
    spectra: NDArray[np.float32],
    sources: NDArray[np.int64],
    configuration: Configuration,
    seed: int,
    *,
    size: int,
    depth: int,
    weight: float,
) -> NDArray[np.float32]:
    """Train on spectra ``(n, L)`` and return one draw ``(m, L)`` around each of `sources` ``(m,)``, of its length.

    size: hidden numbers; depth: layers on each side; weight: of the divergence, a feature. Optimiser, batch size and
    epochs are the configuration's.
    """
    count, length = spectra.shape
    x_all = even(torch.from_numpy(spectra))
    encoder = widths(length, 2 * size, depth)
    declared = stepped_parameters(encoder, "encoder.") | stepped_parameters(widths(size, length, depth), "decoder.")
    layout = Layout.of(declared)
    values = layout.initial([seed], torch.float32)
    leaves = layout.leaves(values)
    gradient = torch.zeros_like(values)
    slots = tuple(layout.views(gradient).values())
    training = configuration.training
    steps = -(-count // training.batch_size)
    optimiser = AdamW([configuration.optimiser], values, [(0, layout.decayed)], steps * training.epochs)
    words = torch.tensor([seed_words(seed)], dtype=torch.int32)
    order = PlainOrder(count)

    def rebuilt(x: torch.Tensor, stream: Stream) -> tuple[torch.Tensor, torch.Tensor]:
        both = stepped(leaves, x[None], depth, "encoder.")
        mean, spread = both[..., :size], both[..., size:]
        log_variance = _BOUND * torch.tanh((spread - 2.0) / _BOUND)  # draws start close to their means
        noise = stream.normal(_NOISE_USE, mean.numel()).view(mean.shape)
        drawn = mean + torch.exp(0.5 * log_variance) * noise
        out = stepped(leaves, drawn, depth, "decoder.")
        return out, divergence(mean, log_variance)

    for epoch in range(1, training.epochs + 1):
        plan = order.plan(seed, epoch, steps * training.batch_size).reshape(steps, -1)
        for step, rows in enumerate(torch.from_numpy(plan)):
            x = x_all[rows]
            out, apart = rebuilt(x, Stream.at(words, (epoch - 1) * steps + step))
            loss = (rebuilding_error(out, x[None]) + weight * apart).sum()
            for slot, g in zip(slots, torch.autograd.grad(loss, list(leaves.values())), strict=True):
                slot.copy_(g)
            optimiser.step(values, gradient)
    with torch.no_grad():
        out, _ = rebuilt(x_all[torch.from_numpy(sources)], Stream.at(words, -1))
    made = out[0].clamp(min=0.0).numpy()
    size = np.linalg.norm(spectra[sources], axis=1, keepdims=True)
    return np.asarray(made * size / np.maximum(np.linalg.norm(made, axis=1, keepdims=True), 1e-12), np.float32)
