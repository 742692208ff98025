"""`random-pairs` (C1): pairs split at random, as in the SpectroSim paper. It leaks and exists to reproduce that paper.

All spectra are seen in training; what is held out is the answer for some of their pairs. Where (a, b) and (b, c) are
known to be the same, (a, c) is known without looking at a spectrum: see :mod:`spectrosim_search.protocol.leakage`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.protocol.cells import CellSplit, Codes, HoldOut
from spectrosim_search.protocol.folds import union_find
from spectrosim_search.protocol.forming import pair_set
from spectrosim_search.protocol.pairs import PairSet

__all__ = ["MAX_SPECTRA", "RandomPairs"]

IntArray = NDArray[np.int64]
MAX_SPECTRA = 2_000


class RandomPairs:
    """Folds over pairs, stratified by same and different."""

    def __init__(self, codes: Codes, folds: int | None, seed: int, hold_out: float | None = None) -> None:
        """Shuffle positive and negative pairs and deal them into folds.

        folds None: 3. hold_out: share of the pairs held out of everything (.4 is the paper's 60/40), or None. Raises
        InputError above :data:`MAX_SPECTRA` spectra (the relation is a square matrix) and where a part would lack a
        same or a different pair.
        """
        self.codes = codes
        self.seed = seed
        self.folds = folds or 3
        rows = codes.usable()
        if len(rows) > MAX_SPECTRA:
            raise InputError(
                f"protocol random-pairs takes at most {MAX_SPECTRA:,} spectra, this set has {len(rows):,}; it exists "
                "to reproduce a paper: use batch-disjoint"
            )
        i, j = np.triu_indices(len(rows), 1)
        self.pairs = pair_set(codes, rows[i], rows[j])
        rng = np.random.default_rng([seed, 503])
        self.fold_of_pair = np.full(len(self.pairs), -1, dtype=np.int64)
        for kind, name in ((self.pairs.positive, "same"), (~self.pairs.positive, "different")):
            members = rng.permutation(np.flatnonzero(kind))
            members = members[0 if hold_out is None else round(hold_out * len(members)) :]
            if len(members) < 2 * self.folds:
                raise InputError(
                    f"too few groups for {self.folds} folds: {len(members)} {name} pairs, each fold needs two; "
                    "use fewer folds or measure more groups"
                )
            self.fold_of_pair[members] = np.arange(len(members)) % self.folds
        self.hold_out = None
        if hold_out is not None:
            train, groups, relation = self._training(self.fold_of_pair >= 0)
            self.hold_out = HoldOut(train, groups, relation, self._chosen(np.flatnonzero(self.fold_of_pair < 0)))
        self.notes = ("random-pairs leaks: what two training pairs imply about a test pair needs no spectrum",)

    def _chosen(self, pairs: IntArray) -> PairSet:
        everything = self.pairs
        return PairSet(
            everything.left[pairs], everything.right[pairs], everything.positive[pairs], everything.stratum[pairs]
        )

    def _training(self, known: NDArray[np.bool_]) -> tuple[IntArray, IntArray, NDArray[np.int8]]:
        """All spectra, the components their known positives form (as codes to draw batches by), and the relation."""
        n = len(self.codes.groups)
        relation = np.full((n, n), -1, dtype=np.int8)
        left, right, same = self.pairs.left[known], self.pairs.right[known], self.pairs.positive[known]
        relation[left, right] = relation[right, left] = same
        rows = self.codes.usable()
        components = union_find(n, left[same], right[same])
        groups = np.full(n, -1, dtype=np.int64)
        groups[rows] = np.unique(components[rows], return_inverse=True)[1]
        return rows, groups, relation

    def split(self, fold: int, seed: int) -> CellSplit:
        """Parts of one cell: the fold's pairs, halved at random within same and different."""
        train, groups, relation = self._training((self.fold_of_pair >= 0) & (self.fold_of_pair != fold))
        rng = np.random.default_rng([self.seed, 509, fold, seed])
        halves: tuple[list[IntArray], list[IntArray]] = ([], [])
        for kind in (self.pairs.positive, ~self.pairs.positive):
            members = rng.permutation(np.flatnonzero(kind & (self.fold_of_pair == fold)))
            first = int(rng.integers(2))  # which half gets the odd one
            halves[first].append(members[: (len(members) + 1) // 2])
            halves[1 - first].append(members[(len(members) + 1) // 2 :])
        a, b = (self._chosen(np.sort(np.concatenate(half))) for half in halves)
        return CellSplit(train, groups, relation, (a, b))
