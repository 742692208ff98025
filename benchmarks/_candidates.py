"""Configurations between which validation spectra chose those of the identification benchmark.

There are two choices: one for all spectra of a class (:data:`CHANGES`) and one for few of them (:data:`FEW_CHANGES`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["CHANGES", "CHOSEN", "CHOSEN_FEW", "FEW_CHANGES", "FIRST", "document", "few_document"]

CHOSEN = "superpose .25"  # by ``python -m benchmarks.identification_choice``
CHOSEN_FEW = "warp .008, no superpose"  # by ``python -m benchmarks.identification_choice --few``

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


_SUPERPOSE: Mapping[str, Any] = {"superpose": {"probability": 0.25}}


def _warp(strength: float) -> dict[str, Any]:
    # peaks of one spectrum move by up to .01 of the axis, each by itself: as many knots as the augmentation allows
    return {"axis-warp": {"probability": 1.0, "strength": strength, "knots": 16}}


_WARPED: Mapping[str, Any] = {**_SUPERPOSE, **_warp(0.008)}
# Five spectra of a class show little of how its spectra vary: what augmentations can add of it. The first is the choice
# for all spectra, the last three change "warp .008" in one more respect.
FEW_CHANGES: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
    "superpose .25": {"augmentations": _SUPERPOSE},
    "warp .004": {"augmentations": {**_SUPERPOSE, **_warp(0.004)}},
    "warp .008": {"augmentations": _WARPED},
    "warp .012": {"augmentations": {**_SUPERPOSE, **_warp(0.012)}},
    "warp .008, group-mix": {"augmentations": {**_WARPED, "group-mix": {}}},
    "warp .008, peak-dropout": {"augmentations": {**_WARPED, "peak-dropout": {"strength": 0.05}}},
    "warp .008, no superpose": {"augmentations": _warp(0.008)},
}


def few_document(candidate: str, epochs: int = 80) -> dict[str, Any]:
    """The configuration of a candidate for few spectra of a class.

    epochs: passes; over a tenth of the spectra 80 take as many steps as 8 over all of them.
    """
    return {**FIRST, "training": {**FIRST["training"], "epochs": epochs}, **FEW_CHANGES[candidate]}
