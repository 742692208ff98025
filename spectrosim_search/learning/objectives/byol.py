"""BYOL: a predictor on one side, a slowly moving copy of the network on the other (Grill et al. 2020, eqs. 2 and 3).

There are no negatives; that the embeddings do not all become equal rests on predictor and moving copy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.batch import Batch
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.objectives._pairs import cosines, pair_mean
from spectrosim_search.learning.objectives._predictor import declare, predict, standardised
from spectrosim_search.learning.parameters import Parameter

__all__ = ["TARGET", "Settings", "loss", "parameters"]

TARGET = True


@dataclass(frozen=True)
class Settings:
    """Settings of BYOL."""

    momentum: float = field(
        0.99, "share of its old state the moving copy keeps at every step (the paper: .996)", low=0.0, high=0.99999
    )
    predictor: Literal["mlp", "linear", "none"] = field(
        "mlp", "mlp: hidden layer with batch standardisation; linear: one matrix; none: known to collapse", shapes=True
    )
    standardise: bool = field(
        True, "projections are standardised over the batch first, which takes away what all spectra share", shapes=True
    )
    width: int = field(128, "features of the predictor's hidden layer", low=2, high=8192, shapes=True)


def parameters(settings: Settings, inputs: int) -> dict[str, Parameter]:
    """Declare the predictor for projections of `inputs` features."""
    return declare(settings.predictor, inputs, settings.width)


def loss(settings: Settings, p: Mapping[str, Tensor], batch: Batch, context: Context) -> Tensor:
    """Return the loss of each replicate ``(R,)``: 2 - 2 cos(a view's prediction, its positive in the copy).

    Averaged by weight over an anchor's positives, then over anchors; every view is an anchor, so the loss is symmetric.
    0 where there is no positive pair.
    """
    assert batch.target is not None
    z, target = batch.z, batch.target
    if settings.standardise:
        z, target = standardised(z), standardised(target)
    return pair_mean(2 - 2 * cosines(predict(p, z), target), batch.positive)
