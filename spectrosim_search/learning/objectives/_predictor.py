"""The predictor of BYOL and SimSiam: an MLP with batch standardisation, kept inside the objective.

Batch statistics are taken over the views of one replicate, in training alone: nothing of a predictor is left when
training has ended, so a single spectrum still gives what it gives in a batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from spectrosim_search.learning.layers import linear
from spectrosim_search.learning.parameters import Parameter, bias, gain, weight

__all__ = ["Kind", "declare", "predict", "standardised"]

Kind = Literal["mlp", "linear", "none"]


def declare(kind: Kind, inputs: int, width: int) -> dict[str, Parameter]:
    """Declare a predictor from `inputs` features to as many, with `width` hidden ones (kind "mlp")."""
    if kind == "none":
        return {}
    if kind == "linear":
        return {"out.weight": weight(inputs, inputs), "out.bias": bias(inputs)}
    return {
        "hidden.weight": weight(inputs, width),  # no bias: standardisation takes it away
        "hidden.gain": gain(width),
        "hidden.shift": bias(width),
        "out.weight": weight(width, inputs),
        "out.bias": bias(inputs),
    }


def predict(p: Mapping[str, Tensor], z: Tensor) -> Tensor:
    """Return predictions ``(R, M, D)`` from projections z ``(R, M, D)``; z itself where nothing was declared."""
    if not p:
        return z
    if "hidden.weight" in p:
        hidden = standardised(linear(z, p["hidden.weight"]))
        z = F.relu(torch.addcmul(p["hidden.shift"].unsqueeze(1), hidden, p["hidden.gain"].unsqueeze(1)))
    return linear(z, p["out.weight"], p["out.bias"])


def standardised(z: Tensor) -> Tensor:
    """Return z ``(R, M, D)`` with mean 0 and variance 1 of each feature over the views (Ioffe and Szegedy 2015)."""
    variance, mean = torch.var_mean(z, dim=1, correction=0, keepdim=True)
    return (z - mean) * torch.rsqrt(variance + 1e-5)
