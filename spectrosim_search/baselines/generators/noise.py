"""Real spectra with noise on every peak: what most pipelines do first."""

from __future__ import annotations

import numpy as np

from spectrosim_search.baselines.generators._contract import GeneratorInput, GeneratorOutput

__all__ = ["SEEDED", "TITLE", "generate"]

TITLE = "noise"
SEEDED = True
_SPREAD = 0.2  # standard deviation of the logarithm of each intensity


def generate(given: GeneratorInput) -> GeneratorOutput:
    """Return training spectra whose intensities are multiplied by log-normal factors of median 1; zeros stay zero."""
    rows = given.sources
    x = given.spectra[rows]
    factors = np.exp(_SPREAD * np.random.default_rng(given.seed).standard_normal(x.shape, dtype=np.float32))
    return GeneratorOutput(x * factors, given.classes[rows])
