"""Halving a fold's validation groups: epoch and threshold chosen on one half score the other, and the reverse.

A positive pair can be compared inside its label only where a second group of that label is in the same half. So the
groups of a label are not simply dealt in turn: of four or more, each half gets its share; two stay together; three
part as two and one. Which half gets which is drawn anew for every cell, so that over the seeds all
groups meet.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.protocol.cells import Codes
from spectrosim_search.protocol.folds import majority

__all__ = ["halve"]

IntArray = NDArray[np.int64]


def halve(
    codes: Codes,
    rows: IntArray,
    repeated: IntArray,
    rng: np.random.Generator,
    usable: Callable[[IntArray], bool],
    where: str,
) -> tuple[IntArray, IntArray]:
    """Part validation `rows` into two halves by whole units.

    repeated: units that give positive pairs; they are dealt first, the others are spread for balance. usable: whether
    a half's rows give a positive and a negative pair. Where the label-wise halving leaves a half unusable, units are
    dealt in turn regardless of labels. Raises InputError (`where` names the fold) if that fails too.
    """
    units, local = np.unique(codes.units[rows], return_inverse=True)
    stratum = majority(local.astype(np.int64), codes.labels[rows] + 1)
    gives = np.isin(units, repeated)
    spectra = np.bincount(local)
    for by_label in (True, False):
        side = np.full(len(units), -1, dtype=np.int64)
        label = stratum if by_label else np.zeros(len(units), dtype=np.int64)
        counts = np.zeros(2)
        sizes = np.zeros(2)
        numbers, totals = np.unique(label[gives], return_counts=True)
        for number in numbers[np.lexsort((rng.random(len(numbers)), -totals))]:
            members = rng.permutation(np.flatnonzero(gives & (label == number)))
            smaller = int(np.lexsort((rng.random(2), sizes, counts))[0])
            n = len(members)
            together = by_label and n in (2, 3)
            taken = 2 if together else (n + 1) // 2
            for share, half in ((members[:taken], smaller), (members[taken:], 1 - smaller)):
                side[share] = half
                counts[half] += len(share)
                sizes[half] += spectra[share].sum()
        for unit in rng.permutation(np.flatnonzero(~gives)):
            half = int(np.lexsort((rng.random(2), sizes))[0])
            side[unit] = half
            sizes[half] += spectra[unit]
        halves = rows[side[local] == 0], rows[side[local] == 1]
        if usable(halves[0]) and usable(halves[1]):
            return halves
    raise InputError(
        f"too few groups for the folds: {where} has {int(gives.sum())} independent groups of two or more spectra and "
        "cannot be halved into parts that each hold a same and a different pair; use fewer folds or measure more groups"
    )
