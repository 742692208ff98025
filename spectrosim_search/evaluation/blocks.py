"""What jackknife and bootstrap delete or draw as a whole: the units of a design, or several of them together."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.scores import PairScores

__all__ = ["MAX_BLOCKS", "Blocks"]

IntArray = NDArray[np.int64]

MAX_BLOCKS = 100


@dataclass(frozen=True, eq=False)
class Blocks:
    """What is deleted or drawn as a whole.

    of_row: block of each spectrum ``(N,)``, -1 for spectra in no judged pair. count: number of blocks; units above
    :data:`MAX_BLOCKS` are merged at random into that many (delete-a-block jackknife), which costs precision of the
    interval only. scored: blocks that hold positive pairs which the metric can use; degrees of freedom are fewer.
    """

    of_row: IntArray
    count: int
    scored: int

    @functools.cached_property
    def digest(self) -> bytes:
        """Equal for equal blocks of every spectrum."""
        return hashlib.blake2b(np.ascontiguousarray(self.of_row).data, digest_size=16).digest()

    @classmethod
    def of(
        cls, methods: Iterable[Sequence[Sequence[PairScores]]], units: NDArray[np.int64], metric: str = "auc"
    ) -> Blocks:
        """Blocks over all spectra that these methods judge; `units` ``(N,)`` codes, -1 for spectra left out.

        Under `matched_auc` a positive pair counts where its part has a negative pair of the same label pair: twelve
        groups of which four can be matched are four observations, not twelve.
        """
        touched = np.zeros(len(units), dtype=np.bool_)
        scored = np.zeros(len(units), dtype=np.bool_)
        for method in methods:
            for part in (p for cell in method for p in cell):
                touched[part.left] = touched[part.right] = True
                used = part.positive
                if metric == "matched_auc":
                    negative = part.stratum[~part.positive]
                    used = used & (part.stratum >= 0) & np.isin(part.stratum, negative)
                scored[part.left[used]] = True
        if (units[touched] < 0).any():
            raise ValueError("a judged pair holds a spectrum without a group")
        names, inverse = np.unique(units[touched], return_inverse=True)
        count = len(names)
        if count > MAX_BLOCKS:
            merged = np.random.default_rng([17, count]).permutation(np.arange(count) % MAX_BLOCKS)
            inverse, count = merged[inverse], MAX_BLOCKS
        of_row = np.full(len(units), -1, dtype=np.int64)
        of_row[touched] = inverse
        return cls(of_row, count, len(np.unique(of_row[scored])))
