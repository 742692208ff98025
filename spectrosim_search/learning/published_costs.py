"""What the papers say their encoders cost: cited figures, for `models --papers`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["PUBLISHED", "SOURCE", "PublishedCost"]

SOURCE = (
    "SpectroSim chapter, section Computational Cost: one batch of REIMS spectra (2,080 channels) each; "
    "batch size and hardware not printed"
)


@dataclass(frozen=True)
class PublishedCost:
    """One row of the chapter's table."""

    model: str  # as the chapter calls it
    training_seconds: float  # one batch
    inference_seconds: float  # one batch
    megabytes: float
    parameters: int

    @property
    def figures(self) -> tuple[float, float, float]:
        """Megabytes, and milliseconds of training and of inference."""
        return self.megabytes, 1e3 * self.training_seconds, 1e3 * self.inference_seconds


_TRANSFORMER = PublishedCost("Transformer", 0.203767, 0.181942, 421.97, 105_491_872)

PUBLISHED: Mapping[str, PublishedCost] = {
    "transformer": _TRANSFORMER,
    "one-token-transformer": _TRANSFORMER,
    "moe-transformer": PublishedCost("MoE", 0.311649, 0.092523, 520.36, 130_089_624),
    "ensemble-transformer": PublishedCost("Ensemble", 0.380419, 0.204004, 988.88, 247_219_936),
    "cnn": PublishedCost("CNN", 0.014521, 0.087839, 137.10, 34_275_328),
    "resnet": PublishedCost("ResNet", 0.274134, 0.054243, 137.10, 34_275_328),
    "kan": PublishedCost("KAN", 0.343616, 0.044145, 283.67, 70_916_316),
    "vae": PublishedCost("VAE", 0.225935, 0.001709, 10.50, 2_626_144),
    "mamba": PublishedCost("Mamba", 1.964942, 0.430526, 19.55, 4_887_808),
}
"""Rows by the name of our encoder; `one-token-transformer` is the one built as published."""
