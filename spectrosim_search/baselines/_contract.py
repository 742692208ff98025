"""What a baseline is given and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.config.study import Metric
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["BaselineInput", "BaselineOutput"]


@dataclass(frozen=True, eq=False)
class BaselineInput:
    """Spectra, what may be learnt from, and the pairs to score.

    `groups` and `labels` are codes of all N spectra; a baseline reads groups of training rows only. Where `relation` is
    given (pairs split at random) groups are not read at all: only pairs whose relation is 0 or 1 are known.
    """

    spectra: SpectraSet
    train: NDArray[np.int64]  # (n,) rows
    groups: NDArray[np.int64]  # (N,)
    labels: NDArray[np.int64]  # (N,), -1 where missing
    relation: NDArray[np.int8] | None  # (N, N): 1 same, 0 different, -1 unknown; None: from groups
    pairs: tuple[PairSet, ...]
    metric: Metric = "matched_auc"  # what settings are chosen by: the AUC named, else matched_auc
    seed: int = 0  # draws the inner folds
    training_seed: int = 0  # draws what the method draws itself: trees, initial weights; see `SEEDED` of a baseline
    shared: dict[str, Any] | None = None  # what a family keeps for its next member; it saves time and changes no score


@dataclass(frozen=True, eq=False)
class BaselineOutput:
    """Scores of one baseline, and of a linear metric or PLDA what is needed to use it.

    `parameters`: ``mean`` ``(L,)`` and ``projection`` ``(L, k)`` of the metric, the arrays of the fitted
    preprocessing as ``preprocessing.*``, whose settings are `preprocessing`. Embedding of a
    spectrum: t = (preprocessed - mean) @ projection, compared by cosine. PLDA has ``weight`` ``(k,)`` and ``offset``
    ``(1,)`` as well: the log likelihood ratio of two spectra is t·t' + own + own', own = offset - Σ weight t².
    """

    similarities: tuple[NDArray[np.float32], ...]  # (P,) for each set of pairs
    settings: str  # what was fixed or chosen, one line
    preprocessing: Preprocessing | None = None
    parameters: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
