"""Which training spectra have a known class, where a study asks what few labels are worth.

The choice is a split like any other: it depends on the study's seed, the fold, the training seed and the share alone,
so that a program and every reference row learn from the same labelled spectra.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["labelled_rows"]

_USE = 521  # keeps this draw apart from the other splits of a study


def labelled_rows(
    classes: NDArray[np.int64], train: NDArray[np.int64], share: float, *, study_seed: int, fold: int, seed: int
) -> NDArray[np.int64]:
    """Training rows ``(m,)``, sorted, whose class is known: a share of every class, one spectrum of each at least.

    classes: ``(N,)`` codes, read on the training rows alone. train: ``(n,)`` rows. fold: -1 for the spectra that are
    held out, -2 where all are trained on. Of equal seeds a larger share holds every smaller one, so that a curve over
    shares grows a set. Raises ValueError for a share outside of 0 to 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"a share of the labels lies above 0 and up to 1, this is {share}")
    rows = np.sort(train)
    if share == 1:
        return rows
    luck = np.random.default_rng([study_seed, _USE, fold + 2, seed]).random(rows.size)
    kept = []
    for code in np.unique(classes[rows]):
        own = np.flatnonzero(classes[rows] == code)
        kept.append(own[np.argsort(luck[own], kind="stable")][: max(1, round(share * own.size))])
    return rows[np.sort(np.concatenate(kept))]
