"""What a rival generator is given and what it gives back. Shapes: n training spectra, m made ones, L channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration

__all__ = ["GeneratorInput", "GeneratorOutput"]


@dataclass(frozen=True, eq=False)
class GeneratorInput:
    """Training spectra after preprocessing, at least 0, and how many to make."""

    spectra: NDArray[np.float32]  # (n, L)
    classes: NDArray[np.int64]  # (n,)
    axis: NDArray[np.float64]  # (L,)
    amount: int  # spectra made for each training spectrum
    seed: int
    configuration: Configuration  # optimiser and training of what learns

    @property
    def sources(self) -> NDArray[np.int64]:
        """Each training row `amount` times ``(n · amount,)``."""
        return np.repeat(np.arange(self.classes.size), self.amount)


@dataclass(frozen=True, eq=False)
class GeneratorOutput:
    """Spectra that were made ``(m, L)`` and their classes ``(m,)``."""

    spectra: NDArray[np.float32]
    classes: NDArray[np.int64]
