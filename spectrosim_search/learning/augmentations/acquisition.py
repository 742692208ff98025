"""Acquisition: a spectrum as another instrument might have recorded it; what the synthesis of spectra draws.

A tilt along log m/z, a power of all intensities, a deviation of every peak, and the lowest m/z and the detection limit
of another training spectrum (:mod:`spectrosim_search.learning.acquisition`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.acquisition import Variation, learn, limits, vary
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["Settings", "apply", "fit"]

_DONORS = (
    4096  # places for the limits of training spectra: as many in every fold, each spectrum about as often as others
)


@dataclass(frozen=True)
class Settings:
    """Settings of acquisition. Tilt, power and noise are of the preprocessed intensities' logarithms."""

    probability: float = field(0.5, "share of views changed", low=0.0, high=1.0)
    strength: float = field(1.0, "size of all deviations", unit="of those within groups", low=0.0, high=10.0)
    transfer: float = field(
        0.5,
        "share of changed views that take over another training spectrum's mass and intensity limits; below a strength "
        "of 1 so much less",
        low=0.0,
        high=1.0,
    )
    tilt: float = field(1.0, "spread of the tilt along log m/z expected of two acquisitions", low=0.0, high=10.0)
    power: float = field(0.3, "spread of the power of all intensities expected of two acquisitions", low=0.0, high=2.0)
    noise: float = field(0.25, "spread of a single peak expected of two acquisitions", low=0.0, high=5.0)
    prior: float = field(
        20.0,
        "groups that the expected spreads weigh as many as, beside those measured in training groups",
        low=0.0,
        high=1e6,
    )


def fit(settings: Settings, fitting: Fitting) -> Mapping[str, NDArray[np.float32]]:
    """Return ``spread (1, 3)``: standard deviations of tilt, power and noise within training groups, shrunk towards the
    expected ones; ``donors (4096, 2)``: limits of training spectra; ``transfer (1, 1)``."""
    expected = Variation(settings.tilt, settings.power, settings.noise)
    found = learn(fitting.spectra, fitting.groups, fitting.axis, expected, settings.prior)
    known = limits(torch.from_numpy(fitting.spectra), torch.from_numpy(fitting.axis).to(torch.float32)).numpy()
    return {
        "spread": np.array([found.spreads], np.float32),
        "donors": known[np.arange(_DONORS) * len(known) // _DONORS],
        "transfer": np.array([[settings.transfer]], np.float32),
    }


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    At strength 1 two views of a spectrum differ as two spectra of a group do. Peaks vanish and never appear. Made for
    intensities of at least 0 (`preprocessing.scale` none): channels at or below 0 stay as they are. It reads the groups
    of the training spectra, so views made by it are not label-free.
    """
    given = scene.fitted
    transfer = given["transfer"] * strength.clamp(max=1.0)
    return vary(x, scene.axis, given["spread"] * strength, given["donors"], transfer, random)
