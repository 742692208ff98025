"""Generating spectra through a prescribed embedding: an autoencoder whose hidden vector is given for each class.

Encoder E and decoder D are trained on ‖h_c - E(x̃)‖² + ‖x - D(E(x̃))‖² + λ (1 - weighted cosine), x̃ being x without a
random share of its peaks and h_c the vector of x's class (synthesis paper, eq. 3). Then each class may get a decoder of
its own that starts from the general one, its last layers frozen. E is any encoder of the zoo with a linear layer behind
it, D a stack of dense layers (:mod:`spectrosim_search.learning.steps`); rate, batch and epochs are the configuration's.

Shapes: n training spectra, L channels, C classes, D sizes of the hidden vector. Spectra are at least 0; the networks
see and make them scaled to a mean square of 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.components import settings_of
from spectrosim_search.learning.encoders.vae import rebuilding_error
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.layers import Context, linear
from spectrosim_search.learning.model import Layout
from spectrosim_search.learning.optimiser import AdamW
from spectrosim_search.learning.order import PlainOrder
from spectrosim_search.learning.parameters import bias, table, weight
from spectrosim_search.learning.randomness import RowStream, Stream, seed_words
from spectrosim_search.learning.rebuilding import even, remove_peaks, weighted_cosine
from spectrosim_search.learning.stack import values_of
from spectrosim_search.learning.steps import stepped, stepped_parameters, widths

__all__ = ["Autoencoder", "Fitted", "Prescribed", "SynthesisData", "fit", "specialise"]

Arrays = dict[str, NDArray[np.float32]]
Status = Literal["finished", "stopped", "diverged"]
_REMOVAL_USE = 224  # of a step's randomness; the encoder's uses start at 0
_SPECIAL_RATE = 0.1  # learning rate of a specialised decoder over the general one's (paper: 1e-4 and 1e-3)


@dataclass(frozen=True, eq=False)
class SynthesisData:
    """Training spectra ``(n, L)`` of classes ``(n,)``; vectors: the given ``(C, D)``, None to learn them."""

    spectra: NDArray[np.float32]
    classes: NDArray[np.int64]
    axis: NDArray[np.float64]
    class_count: int
    vectors: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Prescribed:
    """Settings of the autoencoder that are not the encoder's."""

    size: int  # of a learned class vector
    depth: int  # layers of the decoder
    match: float  # weight of ‖h_c - E(x̃)‖²
    cosine: float  # λ
    removal: float  # share of peaks taken from inputs


@dataclass(frozen=True, eq=False)
class Fitted:
    """Everything learnt by name, the mean loss of each epoch ``(E,)``, and how training ended."""

    parameters: Arrays
    loss: NDArray[np.float32]
    status: Status = "finished"
    reason: str = ""


class Autoencoder:
    """Encoder, linear layer and decoder for spectra of one axis; R is 1 throughout but for specialised decoders."""

    def __init__(self, settings: Prescribed, configuration: Configuration, data: SynthesisData, device: str) -> None:
        self.settings, self.device = settings, torch.device(device)
        self.axis = torch.from_numpy(data.axis).to(self.device, torch.float32)
        encoder = configuration.encoder
        self._module = registry.load("learning.encoders", encoder.type)
        self._settings: Any = settings_of("encoders", encoder)
        length = data.axis.shape[0]
        inside = self._module.outputs(self._settings, length)
        self.size = settings.size if data.vectors is None else int(data.vectors.shape[1])
        declared = self._module.parameters(self._settings, length)
        self._wanted = {n for n, p in declared.items() if p.start == "fitted"}
        own = {f"encoder.{n}": p for n, p in declared.items() if n not in self._wanted}
        own |= {"hidden.weight": weight(inside, self.size), "hidden.bias": bias(self.size)}
        own |= stepped_parameters(widths(self.size, length, settings.depth), "decoder.")
        if data.vectors is None:
            own["vectors"] = table(data.class_count, self.size, scale=1.0)
        self.layout = Layout.of(own)
        self._values = values_of("encoders", [encoder], torch.float32, self.device)

    def fitted(self, data: SynthesisData) -> dict[str, Tensor]:
        """Return what the encoder fits on training spectra, each ``(1, …)``."""
        if not self._wanted:
            return {}
        found = self._module.fit(self._settings, Fitting(data.spectra, data.classes, data.axis))
        return {f"encoder.{n}": torch.from_numpy(np.asarray(v)).float().to(self.device)[None] for n, v in found.items()}

    def encode(self, p: Mapping[str, Tensor], x: Tensor, stream: Stream | None, penalties: list[Tensor]) -> Tensor:
        """Spectra x ``(1, M, L)`` → hidden vectors ``(1, M, D)``."""
        encoder = {n.removeprefix("encoder."): v for n, v in p.items() if n.startswith("encoder.")}
        context = Context(self.axis[None], self._values, stream, 0, {}, x, penalties)
        h: Tensor = self._module.forward(self._settings, encoder, x, context)
        return linear(h, p["hidden.weight"], p["hidden.bias"])

    def decode(self, p: Mapping[str, Tensor], h: Tensor) -> Tensor:
        """Hidden vectors ``(R, M, D)`` → spectra ``(R, M, L)``, not yet cut at 0."""
        return stepped(p, h, self.settings.depth, "decoder.")

    def rebuilding(self, y: Tensor, x: Tensor) -> Tensor:
        """Loss of rebuilt spectra y for x, both ``(R, M, L)`` → ``(R,)``."""
        cosine = weighted_cosine(y.clamp(min=0.0), x, self.axis)
        return rebuilding_error(y, x) + self.settings.cosine * (1 - cosine).mean(dim=-1)


def fit(
    data: SynthesisData,
    settings: Prescribed,
    configuration: Configuration,
    seed: int,
    *,
    device: str = "cpu",
    on_epoch: Callable[[int, float], bool] | None = None,
) -> Fitted:
    """Train encoder and general decoder, and the class vectors where none are given.

    Parameters by name: ``encoder.…``, ``hidden.…``, ``decoder.…``, ``vectors`` ``(C, D)`` (as scaled for training).
    """
    model = Autoencoder(settings, configuration, data, device)
    training, count = configuration.training, data.spectra.shape[0]
    steps = -(-count // training.batch_size)
    x_all = even(torch.from_numpy(data.spectra).to(model.device))
    codes = torch.from_numpy(data.classes).to(model.device)
    values = model.layout.initial([seed], torch.float32).to(model.device)
    leaves = model.layout.leaves(values)
    gradient = torch.zeros_like(values)
    slots = tuple(model.layout.views(gradient).values())
    constants = model.fitted(data)
    optimiser = AdamW([configuration.optimiser], values, [(0, model.layout.decayed)], steps * training.epochs)
    order, words = PlainOrder(count), torch.tensor([seed_words(seed)], dtype=torch.int32, device=model.device)
    given = None if data.vectors is None else even(torch.from_numpy(data.vectors).to(model.device))
    loss_of: list[float] = []
    status: Status = "finished"
    reason = ""
    for epoch in range(1, training.epochs + 1):
        plan = order.plan(seed, epoch, steps * training.batch_size).reshape(steps, -1)
        total = 0.0
        for step, rows in enumerate(torch.from_numpy(plan).to(model.device)):
            stream = Stream.at(words, (epoch - 1) * steps + step)
            x = x_all[rows]
            shown = remove_peaks(x, settings.removal, RowStream(stream, x.shape[0], _REMOVAL_USE))
            penalties: list[Tensor] = []
            h = model.encode(leaves | constants, shown[None], stream, penalties)
            # scaled, so that a learned vector cannot shrink its way to a small loss
            target = even(leaves["vectors"][0]) if given is None else given
            loss = model.rebuilding(model.decode(leaves, h), x[None]).sum()
            loss = loss + settings.match * (h[0] - target[codes[rows]]).square().mean()
            loss = loss + sum((term.sum() for term in penalties), start=torch.zeros_like(loss))
            for slot, g in zip(slots, torch.autograd.grad(loss, list(leaves.values())), strict=True):
                slot.copy_(g)
            optimiser.step(values, gradient)
            total += float(loss.detach())
        loss_of.append(total / steps)
        if not np.isfinite(total):
            status, reason = "diverged", f"loss not finite in epoch {epoch}"
            break
        if on_epoch is not None and on_epoch(epoch, loss_of[-1]):
            status, reason = "stopped", f"stopped on request after epoch {epoch}"
            break
    named = {n: v[0] for n, v in (model.layout.views(values) | constants).items()}
    named["vectors"] = even(named["vectors"]) if given is None else given
    arrays = {n: v.detach().float().cpu().numpy().copy() for n, v in named.items()}
    return Fitted(arrays, np.asarray(loss_of, dtype=np.float32), status, reason)


def specialise(
    fitted: Fitted,
    data: SynthesisData,
    settings: Prescribed,
    configuration: Configuration,
    seed: int,
    *,
    frozen: int,
    steps: int,
    device: str = "cpu",
) -> Fitted:
    """Give every class with training spectra a decoder of its own: the general one, its last `frozen` layers kept.

    All decoders are trained side by side for `steps` steps, each on its class's spectra alone, from hidden vectors of
    peak-removed inputs. Adds ``special.…`` with a leading axis C for the layers that are not frozen; classes without
    training spectra keep the general layers.
    """
    free = settings.depth - frozen
    if free <= 0 or steps == 0:
        return fitted
    model = Autoencoder(settings, configuration, data, device)
    general = {n: torch.from_numpy(v).to(model.device)[None] for n, v in fitted.parameters.items()}
    size = np.bincount(data.classes, minlength=data.class_count)
    most = int(size.max())
    place = np.argsort(data.classes, kind="stable")
    first = np.cumsum(size) - size
    # short classes repeat their spectra; classes without any look at row 0 and are put back afterwards
    slots = first[:, None] + np.arange(most)[None] % np.maximum(size, 1)[:, None]
    rows = torch.from_numpy(place[np.minimum(slots, place.size - 1)]).to(model.device)
    names = [f"decoder.layer{layer}.{part}" for layer in range(free) for part in ("weight", "bias")]
    declared = stepped_parameters(widths(model.size, data.axis.shape[0], settings.depth), "decoder.")
    layout = Layout.of({n: declared[n] for n in names})
    values = torch.zeros(data.class_count, layout.size, device=model.device)
    for name, view in layout.views(values).items():
        view.copy_(general[name].expand_as(view))
    leaves = layout.leaves(values)
    kept = {n: v.expand(data.class_count, *v.shape[1:]) for n, v in general.items() if n.startswith("decoder.layer")}
    gradient = torch.zeros_like(values)
    places = tuple(layout.views(gradient).values())
    rate = replace(configuration.optimiser, learning_rate=configuration.optimiser.learning_rate * _SPECIAL_RATE)
    optimiser = AdamW([rate] * data.class_count, values, [(0, layout.decayed)], steps)
    x_all = even(torch.from_numpy(data.spectra).to(model.device))
    words = torch.tensor([seed_words(seed)], dtype=torch.int32, device=model.device)
    for step in range(steps):
        stream = Stream.at(words, -1 - step)  # steps of the general decoder count from 0
        with torch.no_grad():
            shown = remove_peaks(x_all, settings.removal, RowStream(stream, x_all.shape[0], _REMOVAL_USE))
            h = model.encode(general, shown[None], None, [])[0][rows]
        loss = model.rebuilding(model.decode(kept | leaves, h), x_all[rows])
        for slot, g in zip(places, torch.autograd.grad(loss.sum(), list(leaves.values())), strict=True):
            slot.copy_(g)
        optimiser.step(values, gradient)
    empty = torch.from_numpy(size == 0).to(model.device)
    own: Arrays = {}
    for name, view in layout.views(values).items():
        view[empty] = general[name]
        own[name.replace("decoder.", "special.")] = view.detach().cpu().numpy().copy()
    return replace(fitted, parameters=fitted.parameters | own)
