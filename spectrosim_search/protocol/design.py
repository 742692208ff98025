"""The design of a study: which spectra train, which pairs judge, and how a search over them is scored (DESIGN §5)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.config.study import Protocol
from spectrosim_search.protocol.batch_disjoint import BatchDisjoint
from spectrosim_search.protocol.cells import Cell, CellSplit, Codes, HoldOut, Parts
from spectrosim_search.protocol.detectable import detectable_difference, interval_half_width
from spectrosim_search.protocol.folds import connected_units
from spectrosim_search.protocol.outer_folds import outer_folds
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.protocol.random_pairs import RandomPairs
from spectrosim_search.protocol.shared_batch import SharedBatch

__all__ = ["SEARCHABLE", "Design", "make_design"]

IntArray = NDArray[np.int64]
StrArray = NDArray[np.str_]

SEARCHABLE = 8  # independent groups below which no search is run
HELD_OUT = 60  # independent groups from which a part is held out of the search
SMALLEST = 4  # independent groups below which not even fixed methods can be judged


@dataclass(frozen=True, eq=False)
class Design:
    """Who may meet whom in one study; made by :func:`make_design`.

    `independent` is G: the number of units (groups, or connected values of the `split` column) that hold a group
    of two or more spectra; they alone can be judged, and they decide how the search is scored. `codes.units` are what
    statistics resample. `outer`: with nested scoring what each outer fold trains on and is judged by; `folds` are then
    those of the last search, on all groups.
    """

    protocol: Protocol
    scoring: Literal["hold-out", "corrected-cv", "nested"]
    codes: Codes
    independent: int
    searchable: bool
    warnings: tuple[str, ...]
    parts: Parts = field(repr=False)
    outer: tuple[HoldOut, ...] = field(default=(), repr=False)

    @property
    def folds(self) -> int:
        """Number of folds K."""
        return self.parts.folds

    @property
    def hold_out(self) -> HoldOut | None:
        """The part that is scored once, after the search is closed."""
        return self.parts.hold_out

    @property
    def groups(self) -> IntArray:
        """Group codes ``(N,)``, -1 for spectra left out."""
        return self.codes.groups

    @property
    def units(self) -> IntArray:
        """Codes ``(N,)`` of what is resampled and never cut: groups, or coarser; -1 for spectra left out."""
        return self.codes.units

    def cells(self, seeds: int, first: int = 0) -> tuple[Cell, ...]:
        """Cells in their fixed order: cell i is fold ``i % K`` with seed ``first + i // K``."""
        return tuple(Cell(i, i % self.folds, first + i // self.folds) for i in range(seeds * self.folds))

    def split(self, fold: int, seed: int) -> CellSplit:
        """Parts of one cell. Raises ValueError for a fold that does not exist."""
        if not 0 <= fold < self.folds:
            raise ValueError(f"fold {fold} of {self.folds}")
        return self.parts.split(fold, seed)

    def summary(self) -> dict[str, Any]:
        """Counts a person should see before a search, as plain numbers and text.

        `parts` lists each fold (halves of seed 0 together), the hold-out, outer folds; `detectable_difference` and
        `expected_interval_half_width` (of the 95 % interval of one AUC) are for the part the result will rest on.
        """
        rows = self.codes.usable()
        parts = []
        judged: list[PairSet] = []
        for fold in range(self.folds):
            cell = self.split(fold, 0)
            parts.append(_counts(f"fold {fold + 1}", self.codes, cell.train, cell.halves))
            judged += list(cell.halves)
        if self.hold_out is not None:
            parts.append(_counts("hold-out", self.codes, self.hold_out.train, (self.hold_out.pairs,)))
            judged = [self.hold_out.pairs]
        if self.outer:
            judged = [outer.pairs for outer in self.outer]
            parts += [_counts(f"outer fold {i}", self.codes, o.train, (o.pairs,)) for i, o in enumerate(self.outer, 1)]
        touched = np.unique(np.concatenate([np.concatenate([p.left, p.right]) for p in judged]))
        sizes = np.bincount(self.codes.groups[touched])
        negatives = sum(int((~p.positive).sum()) for p in judged)
        return {
            "protocol": self.protocol.name,
            "scoring": self.scoring,
            "folds": self.folds,
            "spectra": len(rows),
            "left_out": int(len(self.codes.groups) - len(rows)),
            "groups": len(self.codes.group_names),
            "independent_groups": self.independent,
            "labels": len(self.codes.label_names),
            "parts": parts,
            "judged_groups": int((sizes >= 2).sum()),
            "detectable_difference": detectable_difference(sizes, negatives),
            "expected_interval_half_width": interval_half_width(sizes, negatives),
            "warnings": list(self.warnings),
        }


def _counts(name: str, codes: Codes, train: IntArray, pairs: tuple[PairSet, ...]) -> dict[str, Any]:
    rows = np.unique(np.concatenate([np.concatenate([p.left, p.right]) for p in pairs]))
    usable = sum(len(np.intersect1d(p.stratum[p.positive & (p.stratum >= 0)], p.stratum[~p.positive])) for p in pairs)
    return {
        "name": name,
        "train_spectra": len(train),
        "train_groups": len(np.unique(codes.groups[train])),
        "spectra": len(rows),
        "groups": len(np.unique(codes.groups[rows])),
        "positive": sum(int(p.positive.sum()) for p in pairs),
        "negative": sum(int((~p.positive).sum()) for p in pairs),
        "matched_strata": usable,  # label pairs that hold both kinds, over the judged parts
    }


def make_design(
    groups: StrArray, labels: StrArray, split: StrArray, protocol: Protocol, *, searchable: bool = True
) -> Design:
    """Lay out the parts of a study.

    groups, labels, split: ``(N,)`` strings, empty where unknown. Spectra without a group are left out and counted: a
    pool may hold material of the judged groups. searchable False allows 4 to 7 groups: fixed methods are then judged on
    whole folds, without a threshold, for there is nothing to choose it on.

    Raises DataError where nothing can be judged (no groups, one group, singletons only) and InputError where there are
    too few groups for a search or for the folds asked for.
    """
    known = np.flatnonzero(groups != "")
    if len(known) == 0:
        raise DataError("no spectrum has a group: name the group column, or give a pattern on the sample id")
    codes = _codes(groups, labels, split, known, use_split=protocol.name == "batch-disjoint")
    rows = codes.usable()
    sizes = np.bincount(codes.groups[rows])
    if len(sizes) < 2:
        raise DataError(f"all spectra are of one group ('{codes.group_names[0]}'): there is no different pair")
    if sizes.max() < 2:
        raise DataError(f"none of the {len(sizes)} groups has two spectra: there is no pair of the same group")
    independent = len(codes.repeated(rows))
    what = "groups of two or more spectra"
    if int(codes.units.max()) + 1 < len(sizes):
        what = "independent units of the split column that hold a group of two or more spectra"
    if independent < SMALLEST:
        raise InputError(
            f"{independent} {what}: at least {SMALLEST} are needed to judge anything, {SEARCHABLE} to search"
        )
    if searchable and independent < SEARCHABLE:
        raise InputError(
            f"{independent} {what}: a search needs {SEARCHABLE}; compare fixed methods instead, or measure more groups"
        )
    warnings = _warnings(groups, split, sizes, codes, protocol)
    held = protocol.scoring == "hold-out" or (
        protocol.scoring == "auto" and protocol.name == "batch-disjoint" and independent >= HELD_OUT
    )
    halved = independent >= SEARCHABLE
    held = held and halved
    share = protocol.hold_out if held else None
    folds = protocol.folds or None
    if folds == 1:
        raise InputError("protocol.folds is 1: cross-validation needs 2 or more; 0 chooses by the number of groups")
    parts: Parts
    if protocol.name == "batch-disjoint":
        if not halved:
            warnings.append(
                f"{independent} groups are too few to choose a threshold on other pairs: no balanced accuracy"
            )
        parts = BatchDisjoint(codes, folds if halved else 2, protocol.seed, share, halved)
    elif protocol.name == "shared-batch":
        parts = SharedBatch(codes, folds, protocol.seed, share)
    else:
        parts = RandomPairs(codes, folds, protocol.seed, share)
    for fold in range(parts.folds):
        parts.split(fold, 0)  # fails here, not in mid-study, where a fold cannot be judged
    notes = (*warnings, *parts.notes)
    scoring: Literal["hold-out", "corrected-cv", "nested"] = "hold-out" if held else "corrected-cv"
    outer: tuple[HoldOut, ...] = ()
    if protocol.scoring == "nested" and halved:
        if protocol.name != "batch-disjoint":
            raise InputError(
                f"protocol.scoring is nested: outer folds are made of whole groups, {protocol.name} is not"
            )
        scoring, outer = "nested", outer_folds(codes, protocol.outer_folds, protocol.seed, searchable=SEARCHABLE)
    return Design(protocol, scoring, codes, independent, independent >= SEARCHABLE, notes, parts, outer)


def _codes(groups: StrArray, labels: StrArray, split: StrArray, known: NDArray[np.intp], use_split: bool) -> Codes:
    """Number groups, units and labels; without `use_split` every group is its own unit."""
    n = len(groups)
    group, unit, label = (np.full(n, -1, dtype=np.int64) for _ in range(3))
    names, group[known] = np.unique(groups[known], return_inverse=True)
    unit[known] = connected_units(groups[known], split[known] if use_split else np.full(len(known), "", dtype=np.str_))
    labelled = known[labels[known] != ""]
    label_names, label[labelled] = np.unique(labels[labelled], return_inverse=True)
    return Codes(group, unit, label, tuple(names.tolist()), tuple(label_names.tolist()))


def _counted(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"


def _warnings(
    groups: StrArray, split: StrArray, sizes: NDArray[np.int64], codes: Codes, protocol: Protocol
) -> list[str]:
    out = []
    without = int((groups == "").sum())
    if without:
        out.append(f"{_counted(without, 'spectrum', 'spectra')} without a group left out")
    single = int((sizes == 1).sum())
    if single:
        several = _counted(single, "group", "groups")
        out.append(f"{several} of one spectrum: used for training and different pairs, but give no same pair")
    unlabelled = int(((codes.labels < 0) & (codes.groups >= 0)).sum())
    if unlabelled and codes.label_names:
        several = _counted(unlabelled, "spectrum", "spectra")
        out.append(f"{several} without a label left out of the matched-label AUC")
    if protocol.name != "batch-disjoint" and bool((split != "").any()):
        out.append(f"the split column is not used: {protocol.name} has spectra of one unit on both sides by its nature")
    return out
