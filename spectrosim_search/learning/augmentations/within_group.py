"""Within group: spectra moved the way spectra of one group differ from each other.

Which directions vary inside a group is estimated on the training spectra; the draws are what the whitened linear
metric calls noise of size one in every direction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from spectrosim_search.config.fields import field
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.metric import principal, within_covariance
from spectrosim_search.learning.randomness import RowStream
from spectrosim_search.learning.views import Scene

__all__ = ["WHOLE", "Settings", "apply", "fit"]

WHOLE = True  # computed for all rows: a matrix product of one row alone may be rounded otherwise than among others


@dataclass(frozen=True)
class Settings:
    """Settings of within-group."""

    probability: float = field(1.0, "share of views changed", low=0.0, high=1.0)
    strength: float = field(0.5, "size of the draws", unit="sd within groups", low=0.0, high=10.0)
    components: int = field(
        20, "principal components of the training spectra in which groups vary", low=1, high=512, shapes=True
    )
    shrinkage: float = field(
        0.1, "share of the mean variance put in place of the covariance", low=0.0, high=1.0, shapes=True
    )


def fit(settings: Settings, fitting: Fitting) -> Mapping[str, NDArray[np.float32]]:
    """Return ``factor (components, L)`` with factorᵀ · factor = V ((1 - s) W + s · mean(diag W) · I) Vᵀ.

    V: principal axes of the training spectra; W: covariance within groups, pooled over groups, in their coordinates; s:
    `shrinkage`. Rows beyond the rank of the spectra are zero. Raises DataError where the spectra are all equal or no
    group has two.
    """
    pca = principal(fitting.spectra, settings.components)
    covariance = within_covariance(pca.scores, fitting.groups)
    kept = covariance.shape[0]
    size = float(np.trace(covariance)) / kept
    shrunk = (1 - settings.shrinkage) * covariance + settings.shrinkage * size * np.eye(kept)
    value, vector = np.linalg.eigh(shrunk)
    factor = np.zeros((settings.components, fitting.spectra.shape[1]), dtype=np.float32)
    factor[:kept] = (np.sqrt(np.maximum(value, 0.0)) * vector).T @ pca.axes.T
    return {"factor": factor}


def apply(settings: Settings, x: Tensor, strength: Tensor, random: RowStream, scene: Scene) -> Tensor:
    """Return changed spectra: x ``(R, M, L)``, strength ``(R, 1, 1)``.

    Adds strength · N(0, covariance within groups): at 1 a view lies from its spectrum as far as a spectrum lies from
    its group's centre. It reads the groups of the training spectra, so views made by it are not label-free. The
    covariance is that of the preprocessed spectra, so the draws are right whatever the preprocessing.
    """
    return x + (strength * random.normal(settings.components).to(x.dtype)) @ scene.fitted["factor"]
