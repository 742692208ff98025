"""Configurations between which validation spectra chose that of the identification benchmark."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["CHANGES", "CHOSEN", "FIRST", "document"]

CHOSEN = "superpose .25"  # by ``python -m benchmarks.identification_choice``

FIRST: Mapping[str, Any] = {
    "preprocessing": {"intensity": "sqrt", "scale": "none"},
    "encoder": {"type": "cnn", "width": 32, "stem_kernel": 31, "stem_stride": 16, "regions": 64, "out": 512},
    "head": {"type": "identity"},
    "objective": {"type": "supcon", "temperature": 0.1},
    "augmentations": {"superpose": {}},
    "positives": {"source": "groups", "spectra_per_group": 4},
    "optimiser": {"learning_rate": 0.002, "weight_decay": 0.01},
    "training": {"batch_size": 256, "epochs": 20},
}
CHANGES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "first": {},
    "temperature .05": {"objective": {"type": "supcon", "temperature": 0.05}},
    "temperature .2": {"objective": {"type": "supcon", "temperature": 0.2}},
    "triplet": {"objective": {"type": "triplet", "margin": 0.2, "slope": "soft"}},
    "no superpose": {"augmentations": {}},
    "superpose .25": {"augmentations": {"superpose": {"probability": 0.25}}},
    "superpose .75": {"augmentations": {"superpose": {"probability": 0.75}}},
    "out 128": {"encoder": {**FIRST["encoder"], "out": 128}},
    "width 16": {"encoder": {**FIRST["encoder"], "width": 16}},
    "regions 32": {"encoder": {**FIRST["encoder"], "regions": 32}},
    "learning rate .005": {"optimiser": {**FIRST["optimiser"], "learning_rate": 0.005}},
    "intensity none": {"preprocessing": {"intensity": "none", "scale": "none"}},
}


def document(candidate: str) -> dict[str, Any]:
    """The configuration of a candidate."""
    return {**FIRST, **CHANGES[candidate]}
