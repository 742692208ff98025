"""SimSiam: a predictor on one side, no gradient on the other (Chen and He 2021, eqs. 1 to 4)."""

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

__all__ = ["Settings", "loss", "parameters"]


@dataclass(frozen=True)
class Settings:
    """Settings of SimSiam."""

    predictor: Literal["mlp", "linear", "none"] = field(
        "mlp", "mlp: hidden layer with batch standardisation; linear: one matrix; none: known to collapse", shapes=True
    )
    standardise: bool = field(
        True, "projections are standardised over the batch first (the paper's last batch normalisation)", shapes=True
    )
    width: int = field(
        32,
        "features of the predictor's hidden layer (the paper: a quarter of the projection's)",
        low=2,
        high=8192,
        shapes=True,
    )


def parameters(settings: Settings, inputs: int) -> dict[str, Parameter]:
    """Declare the predictor for projections of `inputs` features."""
    return declare(settings.predictor, inputs, settings.width)


def loss(settings: Settings, p: Mapping[str, Tensor], batch: Batch, context: Context) -> Tensor:
    """Return the loss of each replicate ``(R,)``: minus the cosine of a view's prediction and a positive's projection.

    No gradient runs through the latter. Averaged by weight over an anchor's positives, then over anchors; every view is
    an anchor, so the loss is symmetric. 0 where there is no positive pair.
    """
    z = standardised(batch.z) if settings.standardise else batch.z
    return pair_mean(-cosines(predict(p, z), z.detach()), batch.positive)
