"""What a protocol hands out: the codes of every spectrum, cells, and the parts of a split.

Shapes: N spectra of the whole set, n training spectra, P pairs. Row numbers always point into the whole set.
"""

from __future__ import annotations

import typing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import RunError
from spectrosim_search.protocol.pairs import PairSet

__all__ = ["Cell", "CellSplit", "Codes", "HoldOut", "Parts", "check_disjoint"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Codes:
    """Who is who, as numbers. All arrays have shape ``(N,)``; -1 in `groups` and `units`: the spectrum is left out.

    `units` are what must stay on one side of a split: groups, or connected values of the `split` column. -1 in
    `labels`: unknown.
    """

    groups: IntArray
    units: IntArray
    labels: IntArray
    group_names: tuple[str, ...]
    label_names: tuple[str, ...]

    def usable(self) -> IntArray:
        """Rows that take part."""
        return np.flatnonzero(self.groups >= 0).astype(np.int64)

    def repeated(self, rows: IntArray) -> IntArray:
        """Units that hold two or more of `rows` from one group: those that give positive pairs."""
        sizes = np.bincount(self.groups[rows], minlength=len(self.group_names))
        units: IntArray = np.unique(self.units[rows[sizes[self.groups[rows]] >= 2]])
        return units


@dataclass(frozen=True)
class Cell:
    """One fold × one seed; `index` is its place in the fixed order."""

    index: int
    fold: int
    seed: int


@dataclass(frozen=True, eq=False)
class CellSplit:
    """What one replicate may see.

    train: rows ``(n,)``. groups: codes ``(N,)``, -1 for every row that is not a training row, so that nothing about the
    judged spectra can be read from them. relation: ``(N, N)`` int8, 1 same, 0 different, -1 unknown, or None where
    `groups` says it all. halves: the judged pairs in two parts; the second is empty where there are too few groups.
    """

    train: IntArray
    groups: IntArray
    relation: NDArray[np.int8] | None
    halves: tuple[PairSet, PairSet]


@dataclass(frozen=True, eq=False)
class HoldOut:
    """The part scored once, after the search is closed; fields as in :class:`CellSplit`."""

    train: IntArray
    groups: IntArray
    relation: NDArray[np.int8] | None
    pairs: PairSet


class Parts(typing.Protocol):
    """What each protocol provides; `notes` are warnings about how the parts came out."""

    @property
    def folds(self) -> int:
        """Number of folds."""

    @property
    def hold_out(self) -> HoldOut | None:
        """The held-out part, if there is one."""

    @property
    def notes(self) -> tuple[str, ...]:
        """Warnings, one sentence each."""

    def split(self, fold: int, seed: int) -> CellSplit:
        """Parts of one cell; the halving is drawn anew for every (fold, seed)."""


def check_disjoint(units: IntArray, **parts: IntArray) -> None:
    """Raise RunError where two parts (rows) share a unit: a broken split must never give a number."""
    seen: dict[int, str] = {}
    for name, rows in parts.items():
        for unit in np.unique(units[rows]).tolist():
            if unit in seen:
                raise RunError(f"split is broken: parts '{seen[unit]}' and '{name}' share unit {unit}")
            seen[unit] = name
