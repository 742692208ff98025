"""Published training settings as plain documents, on the patch Transformer of this package.

Both papers print the training and leave parts of the model open; what they do not print is said beside its value.
Patches of 104 channels make 20 tokens of the papers' 2,080 bins, so that a processor can train them; their own 105
M-parameter form reads the spectrum as one token and is the encoder ``one-token-transformer``.

``spectrosim-paper``: same-batch pairs are the positives, no views; temperature .07, batch 16, 100 epochs, one-cycle
learning rate, mixed precision, gradient-norm clipping (SpectroSim, §4.3).
``spectrosim-chapter``: two augmented views of one spectrum are the positives (label-free); AdamW at 1e-5, 100
epochs, dropout .2, label smoothing .1, hidden size 128, 4 layers, 4 heads, patience 5, temperature .07 (SpectroSim
chapter, table of settings).
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from spectrosim_search.config.errors import InputError, nearest

__all__ = ["PRESETS", "preset", "preset_names"]

PRESETS: Mapping[str, Mapping[str, Any]] = {
    "spectrosim-paper": {
        "preprocessing": {"intensity": "tic", "derivative": 0, "scale": "standard"},  # not printed
        "encoder": {
            "type": "transformer",
            "patch": 104,
            "width": 128,  # sizes and dropout as in the chapter: the paper prints none
            "depth": 4,
            "heads": 4,
            "dropout": 0.2,
            "out": 128,
        },
        "head": {"type": "spectral"},  # "meant to keep the distribution of spectral peaks"
        "objective": {"type": "nt-xent", "temperature": 0.07, "label_smoothing": 0.0},
        "augmentations": {},
        "positives": {"source": "groups", "spectra_per_group": 2},
        "optimiser": {"learning_rate": 1e-3, "weight_decay": 0.01, "gradient_clip": 1.0},  # not printed
        # The paper stops early on test data; here the whole run is trained and validation groups choose the epoch.
        "training": {
            "batch_size": 16,
            "epochs": 100,
            "checkpoint": "best",
            "patience": 100,
            "precision": "auto",
            "similarity": "head",
        },
    },
    "spectrosim-chapter": {
        "preprocessing": {"intensity": "tic", "derivative": 0, "scale": "standard"},  # not printed
        "encoder": {
            "type": "transformer",
            "patch": 104,
            "width": 128,
            "depth": 4,
            "heads": 4,
            "dropout": 0.2,
            "out": 128,
        },
        "head": {"type": "mlp", "width": 128, "out": 64, "layers": 2, "dropout": 0.2},  # sizes not printed
        "objective": {"type": "nt-xent", "temperature": 0.07, "label_smoothing": 0.1},
        "augmentations": {  # the six of the chapter; probabilities and strengths are not printed
            "jitter": {"probability": 0.5, "strength": 0.1},
            "shift": {"probability": 0.5, "strength": 0.005},
            "scale": {"probability": 0.5, "strength": 0.1},
            "crop-pad": {"probability": 0.5, "strength": 0.1},
            "flip": {"probability": 0.5},
            "permutation": {"probability": 0.5, "strength": 4.0},
        },
        "positives": {"source": "views"},
        "optimiser": {"learning_rate": 1e-5, "weight_decay": 0.01, "gradient_clip": 1.0},  # rate printed, rest not
        "training": {
            "batch_size": 16,
            "epochs": 100,
            "checkpoint": "best",
            "patience": 5,
            "precision": "auto",
            "similarity": "head",
        },
    },
}


def preset_names() -> tuple[str, ...]:
    """Names of the presets, sorted."""
    return tuple(sorted(PRESETS))


def preset(name: str) -> dict[str, Any]:
    """A copy of one preset's document. Raises InputError with the nearest known name."""
    if name not in PRESETS:
        raise InputError(f"unknown preset '{name}'{nearest(name, PRESETS)}")
    return copy.deepcopy(dict(PRESETS[name]))
