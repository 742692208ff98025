"""The mean training spectrum of each class."""

from __future__ import annotations

import numpy as np

from spectrosim_search.baselines.generators._contract import GeneratorInput, GeneratorOutput

__all__ = ["SEEDED", "TITLE", "generate"]

TITLE = "class means"
SEEDED = False


def generate(given: GeneratorInput) -> GeneratorOutput:
    """Return, for each training spectrum, the mean of its class."""
    present, inverse, count = np.unique(given.classes, return_inverse=True, return_counts=True)
    total = np.zeros((present.size, given.spectra.shape[1]))
    np.add.at(total, inverse, given.spectra)
    rows = given.sources
    mean = (total / count[:, None]).astype(np.float32)
    return GeneratorOutput(mean[inverse][rows], given.classes[rows])
