"""Mixtures of two training spectra of one class (mixup, Zhang et al. 2018, inside classes)."""

from __future__ import annotations

import numpy as np

from spectrosim_search.baselines.generators._contract import GeneratorInput, GeneratorOutput

__all__ = ["SEEDED", "TITLE", "generate"]

TITLE = "mixup within classes"
SEEDED = True
_BETA = 0.5  # shares from Beta(.5, .5)


def generate(given: GeneratorInput) -> GeneratorOutput:
    """Return λ x + (1 - λ) x', x' another spectrum of the class; of a class with one spectrum, that spectrum."""
    random = np.random.default_rng(given.seed)
    rows = given.sources
    order = np.argsort(given.classes, kind="stable")
    _, inverse, count = np.unique(given.classes, return_inverse=True, return_counts=True)
    first, place = np.cumsum(count) - count, np.empty(order.size, np.int64)
    place[order] = np.arange(order.size)
    own, size = inverse[rows], count[inverse[rows]]
    step = 1 + (random.random(rows.size) * np.maximum(size - 1, 1)).astype(np.int64)
    other = order[first[own] + (place[rows] - first[own] + step) % size]
    share = random.beta(_BETA, _BETA, (rows.size, 1)).astype(np.float32)
    return GeneratorOutput(share * given.spectra[rows] + (1 - share) * given.spectra[other], given.classes[rows])
