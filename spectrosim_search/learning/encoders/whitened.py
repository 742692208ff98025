"""The whitened encoder: the linear metric as a starting point that training climbs from.

Spectra are projected on principal axes of the training spectra and whitened by their covariance within groups
(:mod:`spectrosim_search.learning.metric`), both fitted before training and kept. There every direction of nuisance has
size one, so Gaussian noise of a fraction of one is a data-driven augmentation. The embedding is ``z = W u + branch``: u
the coordinates, W the identity at the start and pulled back to it by weight decay, the branch zero at the start.
Without training (epochs 0) this is the linear metric itself.

With `between` above 0 the coordinates are turned to the axes along which groups differ and each is weighed by
``(ψ / (1 + ψ)) ** between``, ψ the variance between groups there: what the mean of a group's posterior does to
a spectrum in probabilistic linear discriminant analysis (Ioffe 2006), at 1; whitening alone weighs an axis that tells
nothing like one that tells much.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config import registry
from spectrosim_search.config.fields import field
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.layers import Context, linear
from spectrosim_search.learning.metric import between_axes, fit_metric
from spectrosim_search.learning.parameters import Parameter, bias, fitted, weight

__all__ = ["Settings", "check", "fit", "forward", "outputs", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of the whitened encoder."""

    components: int = field(
        20,
        "principal axes kept, the size of the embedding; those beyond the rank are zero",
        low=2,
        high=512,
        shapes=True,
    )
    shrinkage: float = field(0.1, "share of the mean variance mixed into the covariance within groups", low=0, high=1)
    between: float = field(
        0.0, "how strongly axes along which groups hardly differ are weighed down; 0: not at all", low=0.0, high=2.0
    )
    noise: float = field(
        0.5, "Gaussian noise in training, in standard deviations within groups of each coordinate", low=0.0, high=5.0
    )
    branch: Literal[
        "none",
        "mlp",
        "cnn",
        "cnn-transformer",
        "ensemble-transformer",
        "kan",
        "lstm",
        "mamba",
        "moe-transformer",
        "peak-graph",
        "r-cnn",
        "resnet",
        "stepped",
        "transformer",
        "vae",
    ] = field(
        "none",
        "what is added to the linear map: nothing, hidden layers on the coordinates, or an encoder of the spectrum",
        shapes=True,
    )
    hidden: int = field(
        64, "features of the branch's hidden layers (mlp) or of its tokens", low=4, high=4096, shapes=True
    )
    depth: int = field(1, "hidden layers of the branch (mlp) or its blocks", low=1, high=16, shapes=True)
    dropout: float = field(0.0, "share of the branch's hidden features dropped", low=0.0, high=0.9)


def outputs(settings: Settings, length: int) -> int:
    """Return the size of the embedding."""
    return settings.components


def fit(settings: Settings, fitting: Fitting) -> dict[str, NDArray[np.float32]]:
    """Fit the linear metric: mean ``(L,)``, projection ``(L, components)`` with zero columns beyond the rank, weights
    ``(components,)`` of its axes.

    Raises DataError where no training group has two spectra or all training spectra are equal.
    """
    metric = fit_metric(fitting.spectra, fitting.groups, settings.components, settings.shrinkage)
    found, weights = metric.projection, np.ones(settings.components, dtype=np.float32)
    projection = np.zeros((fitting.spectra.shape[1], settings.components), dtype=np.float32)
    if settings.between > 0:
        turn, variance = between_axes(metric.embed(fitting.spectra), fitting.groups)
        if variance[0] > 0:  # else groups do not differ at all, and no axis is better than another
            found = found @ turn
            weights[: variance.size] = (variance / (1 + variance)) ** settings.between
    projection[:, : found.shape[1]] = found
    return {"mean": metric.mean.astype(np.float32), "projection": projection, "weights": weights}


def _branch(settings: Settings) -> tuple[ModuleType, Any]:
    """Return the encoder that is the branch, and its settings: its own defaults but for size and dropout."""
    module = registry.load("learning.encoders", settings.branch)
    known = {f.name for f in dataclasses.fields(module.Settings)}
    wanted = {"width": settings.hidden, "depth": settings.depth}
    return module, module.Settings(**{n: v for n, v in wanted.items() if n in known})


def check(settings: Settings) -> list[str]:
    """Return what contradicts itself."""
    if settings.branch in ("none", "mlp"):
        return []
    module, inside = _branch(settings)
    return [f"branch {settings.branch}: {p}" for p in module.check(inside)] if hasattr(module, "check") else []


def parameters(settings: Settings, length: int) -> dict[str, Parameter]:
    """Declare the tensors for spectra of `length` channels."""
    k = settings.components
    out = {"mean": fitted(length), "projection": fitted(length, k), "weights": fitted(k), "turn": _zero(k, k)}
    if settings.branch == "none":
        return out
    if settings.branch == "mlp":
        size = k
        for layer in range(settings.depth):
            out |= {f"layer{layer}.weight": weight(size, settings.hidden), f"layer{layer}.bias": bias(settings.hidden)}
            size = settings.hidden
        return out | {"join.weight": _zero(size, k)}
    module, inside = _branch(settings)
    out |= {f"branch.{n}": p for n, p in module.parameters(inside, length).items()}
    return out | {"join.weight": _zero(module.outputs(inside, length), k)}


def _zero(rows: int, columns: int) -> Parameter:
    """A matrix that starts at zero and that weight decay pulls back there."""
    return Parameter((rows, columns), "constant", 0.0, decay=True)


def forward(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    """Encode spectra x ``(R, M, L)`` as ``(R, M, D)``; projected in full precision whatever the type of x."""
    spectra = x if context.spectra is None else context.spectra
    kind = p["projection"].dtype
    u = torch.bmm(spectra.to(kind) - p["mean"].unsqueeze(1), p["projection"])
    u = context.noise(u, "noise") * p["weights"].unsqueeze(1)  # the noise is in deviations within groups
    z = (u + linear(u, p["turn"].to(kind))).to(x.dtype)
    if settings.branch == "none":
        return z
    if settings.branch == "mlp":
        h = u.to(x.dtype)
        for layer in range(settings.depth):
            h = context.dropout(F.gelu(linear(h, p[f"layer{layer}.weight"], p[f"layer{layer}.bias"])))
    else:
        h = _of_branch(settings, p, x, context)
    return z + linear(h, p["join.weight"])


def _of_branch(settings: Settings, p: Mapping[str, Tensor], x: Tensor, context: Context) -> Tensor:
    module, inside = _branch(settings)
    own = {n.removeprefix("branch."): v for n, v in p.items() if n.startswith("branch.")}
    like = context.values["dropout"]
    fixed = {f.name for f in dataclasses.fields(inside) if f.metadata["shapes"]}
    defaults = {
        f.name: torch.full_like(like, getattr(inside, f.name))
        for f in dataclasses.fields(inside)
        if f.name not in fixed
    }
    nested = dataclasses.replace(context, values=defaults | {"dropout": like}, tokens=None)
    h: Tensor = module.forward(inside, own, x, nested)
    context.use = nested.use
    return h
