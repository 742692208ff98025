"""Real spectra without a random 15 % of their peaks: the inputs of the synthesis paper's encoder, taken as they are."""

from __future__ import annotations

import numpy as np

from spectrosim_search.baselines.generators._contract import GeneratorInput, GeneratorOutput

__all__ = ["SEEDED", "TITLE", "generate"]

TITLE = "peak removal"
SEEDED = True
_SHARE = 0.15


def generate(given: GeneratorInput) -> GeneratorOutput:
    """Return training spectra with peaks removed; a spectrum that would lose all its peaks stays whole."""
    rows = given.sources
    x = given.spectra[rows]
    kept = np.where(np.random.default_rng(given.seed).random(x.shape) >= _SHARE, x, np.float32(0.0))
    whole = kept.max(axis=1) <= 0
    kept[whole] = x[whole]
    return GeneratorOutput(kept, given.classes[rows])
