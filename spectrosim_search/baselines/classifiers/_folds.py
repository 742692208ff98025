"""Inner folds of the training rows, by which a classifying baseline chooses its settings."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._contract import ClassInput

__all__ = ["inner_folds"]

_FOLDS = 3


def inner_folds(given: ClassInput) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to fit on and rows to judge on, classes spread evenly, blocks never cut, drawn by `given.seed`.

    Judged are only spectra whose class is fitted on. Empty where the training rows are one block or leave nothing to
    judge: then nothing can be chosen.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    classes, blocks = given.classes[given.train], given.blocks[given.train]
    # spectra in no block stand for themselves
    blocks = np.where(blocks < 0, blocks.max(initial=0) + 1 + np.arange(blocks.size), blocks)
    sizes = np.bincount(classes)
    folds = min(_FOLDS, np.unique(blocks).size, int(sizes.max(initial=0)))
    if folds < 2:
        return []
    out = []
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=given.seed % (1 << 32))
    for inside, outside in split.split(np.zeros((classes.size, 1)), classes, blocks):
        judged = outside[np.isin(classes[outside], classes[inside])]
        if judged.size:
            out.append((given.train[inside], given.train[judged]))
    return out
