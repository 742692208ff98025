"""`shared-batch` (C2): the spectra of each group are split, so one partner of a judged pair was seen in training.

It answers a narrower question than `batch-disjoint`: is this new spectrum of one of the batches already measured? A
judged pair is a held-out spectrum with a training spectrum. Every group of two or more spectra has at least one
spectrum on each side; single spectra train only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.protocol.batch_disjoint import masked
from spectrosim_search.protocol.cells import CellSplit, Codes, HoldOut
from spectrosim_search.protocol.forming import MAX_PAIRS, pairs_between
from spectrosim_search.protocol.halves import halve

__all__ = ["SharedBatch"]

IntArray = NDArray[np.int64]


class SharedBatch:
    """Folds over spectra inside groups; judged pairs are held-out spectrum × training spectrum."""

    def __init__(self, codes: Codes, folds: int | None, seed: int, hold_out: float | None = None) -> None:
        """Deal the spectra of each group in turn into folds, from a random start.

        `hold_out`: share of each group's spectra held out of everything (at least one, and one at least stays), or
        None. `fold_of` is -1 for spectra outside the folds and `folds` for single spectra, which always train.
        """
        self.codes = codes
        self.seed = seed
        rows = codes.usable()
        self.folds = folds or (2 if len(codes.repeated(rows)) < 12 else 3)
        rng = np.random.default_rng([seed, 401])
        self.fold_of = np.full(len(codes.groups), -1, dtype=np.int64)
        held: list[IntArray] = []
        for group in np.unique(codes.groups[rows]):
            members = rng.permutation(rows[codes.groups[rows] == group])
            if hold_out is not None and len(members) >= 2:
                count = min(max(1, round(hold_out * len(members))), len(members) - 1)
                held.append(members[:count])
                members = members[count:]
            if len(members) == 1:
                self.fold_of[members] = self.folds
            else:
                self.fold_of[members] = (rng.integers(self.folds) + np.arange(len(members))) % self.folds
        self.hold_out = None
        inside = np.flatnonzero(self.fold_of >= 0).astype(np.int64)
        if hold_out is not None:
            outside = np.sort(np.concatenate(held))
            pairs = pairs_between(codes, outside, inside, np.random.default_rng([seed, 409]))
            self.hold_out = HoldOut(inside, masked(codes.groups, inside), None, pairs)
        largest = max(int((self.fold_of == fold).sum()) for fold in range(self.folds))
        sampled = largest // 2 * len(inside) > MAX_PAIRS
        note = f"parts with more than {MAX_PAIRS:,} pairs are judged on a random sample of that many"
        self.notes: tuple[str, ...] = (note,) if sampled else ()

    def split(self, fold: int, seed: int) -> CellSplit:
        """Parts of one cell; the two halves share no unit among their held-out spectra."""
        train = np.flatnonzero((self.fold_of >= 0) & (self.fold_of != fold)).astype(np.int64)
        judged = np.flatnonzero(self.fold_of == fold).astype(np.int64)
        lonely = np.setdiff1d(self.codes.groups[judged], self.codes.groups[train])
        if len(lonely):
            raise RunError(f"split is broken: group '{self.codes.group_names[lonely[0]]}' has no training spectrum")
        rng = np.random.default_rng([self.seed, 419, fold, seed])
        if len(judged) == 0:
            raise InputError(f"too few spectra for {self.folds} folds: fold {fold + 1} is empty; use fewer folds")
        several = len(np.unique(self.codes.groups[train])) >= 2
        where = f"fold {fold + 1} of {self.folds}"
        repeated = np.unique(self.codes.units[judged])  # each held-out spectrum has a partner in training
        first, second = halve(self.codes, judged, repeated, rng, lambda rows: several and len(rows) > 0, where)
        halves = pairs_between(self.codes, first, train, rng), pairs_between(self.codes, second, train, rng)
        return CellSplit(train, masked(self.codes.groups, train), None, halves)
