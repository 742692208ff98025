"""Draws of a variational autoencoder around training spectra, the rival of the synthesis paper."""

from __future__ import annotations

from spectrosim_search.baselines.generators._contract import GeneratorInput, GeneratorOutput

__all__ = ["SEEDED", "TITLE", "generate"]

TITLE = "variational autoencoder"
SEEDED = True
_SIZE, _DEPTH, _WEIGHT = 64, 2, 0.01


def generate(given: GeneratorInput) -> GeneratorOutput:
    """Return a draw around each training spectrum, trained with the configuration's optimiser, batches and epochs."""
    from spectrosim_search.learning.synthesis_vae import vae_spectra

    rows = given.sources
    made = vae_spectra(given.spectra, rows, given.configuration, given.seed, size=_SIZE, depth=_DEPTH, weight=_WEIGHT)
    return GeneratorOutput(made, given.classes[rows])
