"""Out-of-fold similarities of the very procedure that trains the model: what its threshold and error rates rest on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol as Interface

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.config.study import Protocol
from spectrosim_search.deploy.decision import OutOfFold
from spectrosim_search.learning.tasks import EvaluationPairs, ReplicateResult, ReplicateTask, TrainingData
from spectrosim_search.protocol.design import CellSplit, Design, make_design
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra import preprocessing
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["CrossFit", "Progress", "cross_fit", "design_for", "fit_model", "group_codes", "network_cells"]

Progress = Callable[[str, float], None]
"""Told what is being done and the share of all work done so far, 0..1."""

SEARCHABLE = 8  # groups of two or more spectra; below, two folds with two halves each cannot hold both kinds of pairs


class Cells(Interface):
    """Scores both halves of some cells; `epochs` are those chosen, none for methods without."""

    def __call__(self, cells: Sequence[tuple[int, int, CellSplit]]) -> list[tuple[tuple[NDArray[np.float32], ...], tuple[int, ...]]]:
        """For each (fold, seed, split): similarities of its halves, chosen epochs."""


@dataclass(frozen=True, eq=False)
class CrossFit:
    """Scored pairs of all cells and the epochs they chose."""

    parts: tuple[OutOfFold, ...]
    epochs: tuple[int, ...]
