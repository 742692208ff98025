"""`batch-disjoint` (C3 of Park & Marcotte 2012): neither group of a judged pair was seen in training.

Pairs form inside a part only. A pair with one partner in training would be C2: the model could have learnt that
partner's batch by heart. So the parts are disjoint in groups (and in the coarser units of the `split` column),
no pair crosses them, and this is checked whenever a part is handed out.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError
from spectrosim_search.protocol.cells import CellSplit, Codes, HoldOut, check_disjoint
from spectrosim_search.protocol.folds import grouped_folds, majority
from spectrosim_search.protocol.forming import MAX_PAIRS, empty_pairs, pairs_inside
from spectrosim_search.protocol.halves import halve

__all__ = ["BatchDisjoint", "hold_out_units", "masked"]

IntArray = NDArray[np.int64]


def masked(values: IntArray, rows: IntArray) -> IntArray:
    """`values` at `rows`, -1 elsewhere."""
    out = np.full_like(values, -1)
    out[rows] = values[rows]
    return out


def hold_out_units(codes: Codes, share: float, seed: int) -> IntArray:
    """Rows of a label-stratified `share` of the units.

    Labels with four or more units that give positives hold out two at least; rarer labels are pooled; units
    of single spectra are a stratum of their own. Drawn at random by `seed`.
    """
    rows = codes.usable()
    units, local = np.unique(codes.units[rows], return_inverse=True)
    stratum = majority(local.astype(np.int64), codes.labels[rows] + 1)
    gives = np.isin(units, codes.repeated(rows))
    sizes = np.bincount(stratum[gives], minlength=int(stratum.max()) + 1)
    stratum = np.where(gives & (sizes[stratum] < 4), -1, stratum)
    stratum = np.where(gives, stratum, -2)
    rng = np.random.default_rng([seed, 211])
    held = np.zeros(len(units), dtype=np.bool_)
    for number in np.unique(stratum):
        members = rng.permutation(np.flatnonzero(stratum == number))
        count = round(share * len(members))
        if number >= 0:
            count = min(max(count, 2), len(members) - 2)
        held[members[:count]] = True
    chosen: IntArray = rows[held[local]]
    return chosen


class BatchDisjoint:
    """Grouped folds, each validated on pairs inside the halves of its own groups."""

    def __init__(
        self, codes: Codes, folds: int | None, seed: int, hold_out: float | None = None, halved: bool = True
    ) -> None:
        """Deal groups into parts.

        `hold_out`: share of groups held out of everything, or None. `folds` None: 3, or 2 where fewer than 12 units
        are left for the search. `halved` False (fewer than 8 groups, fixed methods only): the first half is the whole
        fold, the second is empty.
        """
        self.codes = codes
        self.seed = seed
        self.halved = halved
        rows = codes.usable()
        held = np.empty(0, dtype=np.int64) if hold_out is None else hold_out_units(codes, hold_out, seed)
        inside = np.setdiff1d(rows, held)
        self.folds = folds or (2 if len(codes.repeated(inside)) < 12 else 3)
        names = np.array([str(u) for u in codes.units[inside]], dtype=np.str_)
        self.fold_of = np.full(len(codes.groups), -1, dtype=np.int64)
        self.fold_of[inside] = grouped_folds(codes.groups[inside], codes.labels[inside], names, self.folds, seed)
        self.hold_out = None if hold_out is None else self._held_out(inside, held)
        self.notes = self._notes(held)

    def _held_out(self, inside: IntArray, held: IntArray) -> HoldOut:
        check_disjoint(self.codes.units, search=inside, hold_out=held)
        pairs = pairs_inside(self.codes, held, np.random.default_rng([self.seed, 223]))
        if pairs.positive.all() or not pairs.positive.any():
            raise InputError(
                f"too few groups to hold any out: the held-out part has {int(pairs.positive.sum())} same and "
                f"{int((~pairs.positive).sum())} different pairs; use scoring: corrected-cv"
            )
        return HoldOut(inside, masked(self.codes.groups, inside), None, pairs)

    def _usable(self, rows: IntArray) -> bool:
        groups = self.codes.groups[rows]
        return len(np.unique(groups)) >= 2 and len(np.unique(groups)) < len(groups)

    def split(self, fold: int, seed: int) -> CellSplit:
        """Parts of one cell; see :class:`~spectrosim_search.protocol.cells.CellSplit`."""
        train = np.flatnonzero((self.fold_of >= 0) & (self.fold_of != fold)).astype(np.int64)
        judged = np.flatnonzero(self.fold_of == fold).astype(np.int64)
        rng = np.random.default_rng([self.seed, 307, fold, seed])
        groups = masked(self.codes.groups, train)
        if not self.halved:
            check_disjoint(self.codes.units, train=train, judged=judged)
            if not self._usable(judged):
                raise InputError(
                    f"too few groups for {self.folds} folds: fold {fold + 1} lacks a same or a different pair; "
                    "measure more groups"
                )
            return CellSplit(train, groups, None, (pairs_inside(self.codes, judged, rng), empty_pairs()))
        repeated = self.codes.repeated(judged)
        first, second = halve(self.codes, judged, repeated, rng, self._usable, f"fold {fold + 1} of {self.folds}")
        held = np.flatnonzero((self.fold_of < 0) & (self.codes.groups >= 0)).astype(np.int64)
        check_disjoint(self.codes.units, train=train, first_half=first, second_half=second, hold_out=held)
        halves = pairs_inside(self.codes, first, rng), pairs_inside(self.codes, second, rng)
        return CellSplit(train, groups, None, halves)

    def _notes(self, held: IntArray) -> tuple[str, ...]:
        """Warn of labels that have a single group in a part, and of parts that hold a sample of their pairs."""
        notes = []
        parts = [np.flatnonzero(self.fold_of == fold).astype(np.int64) for fold in range(self.folds)]
        parts += [held] if len(held) else []
        lonely: set[str] = set()
        for rows in parts:
            found, where = np.unique(self.codes.groups[rows], return_index=True)
            sizes = np.bincount(self.codes.groups[rows])[found]
            labels = self.codes.labels[rows][where][sizes >= 2]
            counts = np.bincount(labels[labels >= 0], minlength=len(self.codes.label_names))
            lonely.update(self.codes.label_names[i] for i in np.flatnonzero(counts == 1))
        if lonely:
            shown = ", ".join(sorted(lonely)[:5]) + (", …" if len(lonely) > 5 else "")
            several = f"{len(lonely)} of {len(self.codes.label_names)} labels"
            notes.append(f"{several} have a single group in some part and cannot be matched there: {shown}")
        largest = max(len(rows) for rows in parts)
        if largest * (largest - 1) // 2 > MAX_PAIRS:
            notes.append(f"parts with more than {MAX_PAIRS:,} pairs are judged on a random sample of that many")
        return tuple(notes)
