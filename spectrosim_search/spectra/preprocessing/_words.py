"""Preprocessing in words, for tables and model cards."""

from __future__ import annotations

from spectrosim_search.config.configuration import Preprocessing

__all__ = ["describe"]

_ORDINAL = {1: "first", 2: "second"}
_SCALED = {"centre": "channels centred", "pareto": "channels Pareto scaled", "standard": "channels scaled"}


def describe(settings: Preprocessing) -> str:
    """One line; what is not done is not said."""
    parts = []
    if settings.baseline == "polynomial":
        parts.append(f"polynomial baseline of degree {settings.baseline_order}")
    elif settings.baseline != "none":
        parts.append(f"{settings.baseline} baseline over {settings.baseline_width} channels")
    if settings.binning > 1:
        parts.append(f"bins of {settings.binning} channels")
    intensity: str = "raw" if settings.intensity == "none" else settings.intensity
    if settings.derivative:
        intensity += f" + {_ORDINAL[settings.derivative]} derivative over {settings.window}"
    parts.append(intensity)
    if settings.scale != "none":
        parts.append(_SCALED[settings.scale])
    return ", ".join(parts)
