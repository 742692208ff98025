"""Simulators of spectra: one module each, ``simulate(**parameters) -> SpectraSet`` over a frozen ``Settings``."""

from spectrosim_search.spectra.simulators._simulate import simulate

__all__ = ["simulate"]
