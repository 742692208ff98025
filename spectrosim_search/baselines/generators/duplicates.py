"""Real spectra once more: what a larger training set does to the classifier by its size alone."""

from __future__ import annotations

from spectrosim_search.baselines.generators._contract import GeneratorInput, GeneratorOutput

__all__ = ["SEEDED", "TITLE", "generate"]

TITLE = "duplicates"
SEEDED = False


def generate(given: GeneratorInput) -> GeneratorOutput:
    """Return copies of the training spectra."""
    return GeneratorOutput(given.spectra[given.sources], given.classes[given.sources])
