"""Inner folds of the training rows, by which a classifying baseline chooses its settings."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._inner import draw_groups
from spectrosim_search.baselines.classifiers._contract import ClassInput

__all__ = ["inner_folds"]

_FOLDS = 3


def inner_folds(given: ClassInput, *, most: bool = False) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Rows to fit on and rows to judge on, classes spread evenly, blocks never cut, drawn by `given.seed`.

    Fitted on are two classes at least, judged only spectra of a class that is fitted on. most: of large sets as many
    whole blocks as choosing needs (:func:`~spectrosim_search.baselines._inner.draw_groups`). Empty where the training
    rows are one block or leave nothing to judge: then nothing can be chosen.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    rows, blocks = given.train, given.blocks[given.train]
    # spectra in no block stand for themselves
    blocks = np.where(blocks < 0, blocks.max(initial=-1) + 1 + np.arange(blocks.size), blocks)
    if most:
        drawn = np.sort(draw_groups(blocks, np.random.default_rng([given.seed, 0xC1A])))
        rows, blocks = rows[drawn], blocks[drawn]
    classes = given.classes[rows]
    folds = min(_FOLDS, np.unique(blocks).size, int(np.bincount(classes).max(initial=0)))
    if folds < 2:
        return []
    out = []
    split = StratifiedGroupKFold(folds, shuffle=True, random_state=given.seed % (1 << 32))
    with warnings.catch_warnings():  # with few labels a class may have fewer spectra than there are folds: see above
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        dealt = list(split.split(np.zeros((classes.size, 1)), classes, blocks))
    for inside, outside in dealt:
        judged = outside[np.isin(classes[outside], classes[inside])]
        if judged.size and np.unique(classes[inside]).size > 1:
            out.append((rows[inside], rows[judged]))
    return out
