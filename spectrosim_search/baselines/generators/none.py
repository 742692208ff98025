"""Nothing is made: the classifier learns from real spectra alone."""

from __future__ import annotations

from spectrosim_search.baselines.generators._contract import GeneratorInput, GeneratorOutput

__all__ = ["SEEDED", "TITLE", "generate"]

TITLE = "real spectra only"
SEEDED = False


def generate(given: GeneratorInput) -> GeneratorOutput:
    """Return no spectra."""
    return GeneratorOutput(given.spectra[:0], given.classes[:0])
