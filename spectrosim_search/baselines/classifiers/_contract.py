"""What a classifying baseline is given and what it gives back.

Shapes: N spectra of the whole set, C classes, n training spectra, m judged spectra.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["ClassInput", "ClassOutput"]


@dataclass(frozen=True, eq=False)
class ClassInput:
    """Spectra, what may be learnt from, and the rows to classify."""

    spectra: SpectraSet  # as measured: a baseline preprocesses by itself
    train: NDArray[np.int64]  # (n,) rows
    judged: NDArray[np.int64]  # (m,) rows
    classes: NDArray[np.int64]  # (N,) 0 to C - 1 on training rows, else -1
    blocks: NDArray[np.int64]  # (N,) what an inner fold never cuts (groups, near-duplicates); -1 off the training rows
    class_names: tuple[str, ...]  # (C,)
    seed: int = 0  # draws the inner folds
    training_seed: int = 0  # draws what the method draws itself
    side: Mapping[str, NDArray[np.float32]] = field(
        default_factory=dict
    )  # given beside the spectra, e.g. class vectors
    mixtures: Mapping[int, NDArray[np.float32]] = field(
        default_factory=dict
    )  # number of components → (M, L) mixtures of judged spectra, as measured; who can takes them apart


@dataclass(frozen=True, eq=False)
class ClassOutput:
    """Classes named by one baseline."""

    predicted: NDArray[np.int64]  # (m,)
    confidence: NDArray[np.float32]  # (m,) higher = surer
    settings: str = ""  # what was fixed or chosen, one line
    metrics: Mapping[str, float] = field(default_factory=dict)  # beside accuracy and macro F1
    components: Mapping[int, NDArray[np.int64]] = field(default_factory=dict)  # k → (M, k) classes of the mixtures
