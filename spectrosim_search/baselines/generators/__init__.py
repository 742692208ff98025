"""Other ways to make spectra to train on: one module each, rivals of the searched generator.

A member has ``TITLE``, ``SEEDED`` (whether it draws anything) and ``generate(given: GeneratorInput) ->
GeneratorOutput``; all but ``none`` make ``amount`` spectra for each training spectrum.
"""

from spectrosim_search.baselines.generators._contract import GeneratorInput, GeneratorOutput

__all__ = ["GeneratorInput", "GeneratorOutput"]
