"""The task that needs no program: pairs of spectra, told apart by the learning engine."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Settings"]


@dataclass(frozen=True)
class Settings:
    """Nothing: the other sections of a configuration say it all."""
