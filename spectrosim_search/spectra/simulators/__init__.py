"""Simulators of spectra, deterministic by seed."""
