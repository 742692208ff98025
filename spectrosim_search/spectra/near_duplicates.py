"""Spectra so alike that they are one measurement for every practical purpose, and must stay on one side of a split.

One contributor's records of a compound are often repeats of a single acquisition: a model that saw one has seen the
others. Weighted cosine: Σ m·x·y / (√Σ m·x² · √Σ m·y²), m = m/z.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["near_duplicate_blocks", "with_blocks"]

_UNITS = ("", "m/z", "Th", "Da")


def near_duplicate_blocks(
    spectra: SpectraSet, threshold: float = 0.99, contributors: NDArray[np.str_] | None = None
) -> NDArray[np.int64]:
    """Number the blocks of near-duplicates: ``(N,)``, equal for spectra linked by a weighted cosine above `threshold`.

    Links form inside one group only and, where contributors ``(N,)`` are given, inside one contributor's records; they
    join transitively. A spectrum like no other is a block of its own, and so is one without a group. Raises DataError
    where the axis is no m/z.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    if spectra.axis_unit not in _UNITS or spectra.axis[0] <= 0:
        raise DataError(
            f"near-duplicates are found by weighted cosine, which needs m/z; the axis is {spectra.axis_unit}"
        )
    weighed = spectra.intensities.astype(np.float64) * np.sqrt(spectra.axis)
    size = np.linalg.norm(weighed, axis=1, keepdims=True)
    unit = weighed / np.where(size > 0, size, 1.0)
    left: list[NDArray[np.int64]] = []
    right: list[NDArray[np.int64]] = []
    names, code = np.unique(spectra.groups, return_inverse=True)
    by_group = np.split(np.argsort(code, kind="stable"), np.cumsum(np.bincount(code))[:-1])
    for name, rows in zip(names.tolist(), by_group, strict=True):
        if not name:
            continue
        alike = unit[rows] @ unit[rows].T > threshold
        if contributors is not None:
            alike &= contributors[rows][:, None] == contributors[rows][None]
        i, j = np.nonzero(np.triu(alike, 1))
        left.append(rows[i])
        right.append(rows[j])
    n = len(spectra)
    i, j = (np.concatenate([np.empty(0, np.int64), *part]) for part in (left, right))
    links = coo_array((np.ones(i.size, dtype=np.int8), (i, j)), shape=(n, n))
    return np.asarray(connected_components(links, directed=False)[1], np.int64)


def with_blocks(
    spectra: SpectraSet, threshold: float = 0.99, contributors: NDArray[np.str_] | None = None
) -> SpectraSet:
    """Return the set with `split` naming the blocks of :func:`near_duplicate_blocks`.

    Raises DataError where the set has a split already.
    """
    if (spectra.split != "").any():
        raise DataError("the spectra have a split column already; blocks of near-duplicates would replace it")
    blocks = near_duplicate_blocks(spectra, threshold, contributors)
    return replace(spectra, split=np.array([f"block{b + 1}" for b in blocks], dtype=np.str_))
