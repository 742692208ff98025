"""Folds of studies that name a class: every class on both sides, no block ever cut.

What the class is depends on the task. Where a spectrum is to be identified (``identify``, ``synthesis``) it is the
group: the compound, the individual; spectra of one class are split between the sides, near-duplicates (one value of
the `split` column) stay together. Where spectra are to be classified (``pretrain``) it is the label, and whole groups
stay on one side where the data have groups; under ``shared-batch`` single spectra are dealt instead, as the papers do,
and the result is marked as leaking.

Nothing is chosen on judged spectra (a program's last state counts), so folds need no halves.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.config.study import Protocol, Task
from spectrosim_search.protocol.batch_disjoint import masked
from spectrosim_search.protocol.cells import Cell, check_disjoint
from spectrosim_search.protocol.folds import connected_units
from spectrosim_search.protocol.label_share import labelled_rows

__all__ = ["ClassDesign", "ClassSplit", "make_class_design"]

IntArray = NDArray[np.int64]
StrArray = NDArray[np.str_]

FOLDS = 5
SMALLEST = 8  # independent units below which no search is run
HELD_OUT_GROUPS = 60  # groups from which a part is held out of the search; single spectra: ten times as many
HELD_OUT_SPECTRA = 600
_WHAT = {"identify": "group", "synthesis": "group", "pretrain": "label"}


@dataclass(frozen=True, eq=False)
class ClassSplit:
    """What one replicate may see. Rows point into the whole set; codes are -1 for every row that does not train."""

    train: IntArray  # (n,)
    judged: IntArray  # (m,)
    classes: IntArray  # (N,)
    blocks: IntArray  # (N,)


@dataclass(frozen=True, eq=False)
class ClassDesign:
    """Who is trained on and who is judged; made by :func:`make_class_design`. N spectra.

    classes, blocks, units: ``(N,)`` codes, -1 for spectra left out. A block is never cut by a fold; a unit is what
    statistics leave out as a whole: a group, or the class where spectra of a class are split between the sides.
    fold_of: ``(N,)``, -1 for spectra held out or left out.
    """

    protocol: Protocol
    scoring: Literal["hold-out", "corrected-cv"]
    classes: IntArray
    class_names: tuple[str, ...]
    blocks: IntArray
    units: IntArray
    unit_word: str  # what a unit is, in one word
    by_class: bool  # whether a unit is a class
    leaks: bool  # whether spectra of one group stand on both sides although whole groups could be kept apart
    fold_of: IntArray
    folds: int
    hold_out: ClassSplit | None
    searchable: bool
    warnings: tuple[str, ...]
    outer: tuple[ClassSplit, ...] = field(default=(), repr=False)  # nested scoring is not offered

    @property
    def unit_plural(self) -> str:
        """What units are, in one word."""
        return "spectra" if self.unit_word == "spectrum" else "classes" if self.by_class else f"{self.unit_word}s"

    @property
    def block_word(self) -> str:
        """What is never cut, in one word."""
        return "groups" if self.unit_word == "group" and not self.by_class else "spectra"

    def cells(self, seeds: int, first: int = 0) -> tuple[Cell, ...]:
        """Cells in their fixed order: cell i is fold ``i % K`` with seed ``first + i // K``."""
        return tuple(Cell(i, i % self.folds, first + i // self.folds) for i in range(seeds * self.folds))

    def split(self, fold: int, seed: int = 0) -> ClassSplit:
        """Parts of one cell; the same for every seed. Raises ValueError for a fold that does not exist."""
        del seed
        if not 0 <= fold < self.folds:
            raise ValueError(f"fold {fold} of {self.folds}")
        inside = self.fold_of >= 0
        train = np.flatnonzero(inside & (self.fold_of != fold)).astype(np.int64)
        judged = np.flatnonzero(inside & (self.fold_of == fold)).astype(np.int64)
        return _split(self.classes, self.blocks, _used(self.protocol, self.classes, train, fold), judged)

    def summary(self) -> dict[str, Any]:
        """Counts a person should see before a search, as plain numbers and text."""
        splits = [(f"fold {fold + 1}", self.split(fold)) for fold in range(self.folds)]
        if self.hold_out is not None:
            splits.append(("hold-out", self.hold_out))
        usable = self.classes >= 0
        return {
            "protocol": self.protocol.name,
            "scoring": self.scoring,
            "folds": self.folds,
            "spectra": int(usable.sum()),
            "left_out": int((~usable).sum()),
            "classes": len(self.class_names),
            "blocks": int(self.blocks.max()) + 1,
            "units": int(self.units.max()) + 1,
            "unit": self.unit_plural,
            "leaks": self.leaks,
            "parts": [
                {
                    "name": name,
                    "train_spectra": len(s.train),
                    "train_blocks": len(np.unique(self.blocks[s.train])),
                    "spectra": len(s.judged),
                    "blocks": len(np.unique(self.blocks[s.judged])),
                    "classes": len(np.unique(self.classes[s.judged])),
                }
                for name, s in splits
            ],
            "warnings": list(self.warnings),
        }


def make_class_design(
    groups: StrArray, labels: StrArray, split: StrArray, protocol: Protocol, task: Task, *, searchable: bool = True
) -> ClassDesign:
    """Lay out the parts of a study that names a class.

    groups, labels, split: ``(N,)`` strings, empty where unknown. Spectra without a class and classes of one block are
    left out and counted. Raises DataError where nothing can be judged (no class, one class, no class of two blocks) and
    InputError for a protocol that has no meaning here, or too few units to search.
    """
    what = _WHAT[task]
    if protocol.name == "random-pairs":
        raise InputError(f"protocol.name is random-pairs: task {task} judges spectra, not pairs; use batch-disjoint")
    if protocol.scoring == "nested":
        raise InputError(f"protocol.scoring is nested: task {task} is scored by hold-out or corrected-cv")
    if protocol.folds == 1:
        raise InputError("protocol.folds is 1: cross-validation needs 2 or more; 0 means 5")
    named = groups if what == "group" else labels
    known = np.flatnonzero(named != "")
    if len(known) == 0:
        raise DataError(f"no spectrum has a {what}: task {task} names the {what} of a spectrum; name its column")
    whole_groups = what == "label" and protocol.name == "batch-disjoint" and bool((groups[known] != "").any())
    block = _blocks(groups, split, known, whole_groups=whole_groups, near=protocol.name == "batch-disjoint")
    kept, warnings = _judgeable(named, known, block, what)
    names, class_codes = np.unique(named[kept], return_inverse=True)
    n = len(named)
    classes, blocks, units = (np.full(n, -1, dtype=np.int64) for _ in range(3))
    classes[kept] = class_codes
    blocks[kept] = np.unique(block[kept], return_inverse=True)[1]
    count = int(blocks.max()) + 1
    by_class = what == "group" and len(names) >= SMALLEST
    units[kept] = classes[kept] if by_class else blocks[kept]
    unit_word = what if by_class else ("group" if whole_groups else "spectrum")
    few = int(units.max()) + 1
    if searchable and few < SMALLEST:
        raise InputError(f"{few} independent units ({unit_word}): a search needs {SMALLEST}; measure more")
    leaks = what == "label" and not whole_groups and bool((groups[known] != "").any())
    if leaks:
        warnings.append("spectra of one group stand on both sides of a split: these numbers overstate")
    enough = count >= (HELD_OUT_GROUPS if whole_groups else HELD_OUT_SPECTRA)
    held = protocol.scoring == "hold-out" or (protocol.scoring == "auto" and enough)
    rows = np.flatnonzero(classes >= 0).astype(np.int64)
    inside, hold_out = rows, None
    if held:
        inside, outside = _hold_out(classes, blocks, rows, protocol.hold_out, protocol.seed)
        hold_out = _split(classes, blocks, _used(protocol, classes, inside, -1), outside)
    folds = protocol.folds or min(FOLDS, _fewest_folds(classes, blocks, inside))
    fold_of = np.full(n, -1, dtype=np.int64)
    fold_of[inside] = _deal(classes[inside], blocks[inside], folds, protocol.seed)
    design = ClassDesign(
        protocol=protocol,
        scoring="hold-out" if held else "corrected-cv",
        classes=classes,
        class_names=tuple(names.tolist()),
        blocks=blocks,
        units=units,
        unit_word=unit_word,
        by_class=by_class,
        leaks=leaks,
        fold_of=fold_of,
        folds=folds,
        hold_out=hold_out,
        searchable=few >= SMALLEST,
        warnings=tuple(warnings),
    )
    for fold in range(folds):
        part = design.split(fold)
        lost = np.setdiff1d(classes[part.judged], classes[part.train])
        if len(part.judged) == 0 or len(lost):
            raise InputError(
                f"fold {fold + 1} of {folds} leaves class '{names[lost[0]] if len(lost) else ''}' without training "
                "spectra: use fewer folds (--set protocol.folds=2) or measure more"
            )
    return design


def _split(classes: IntArray, blocks: IntArray, train: IntArray, judged: IntArray) -> ClassSplit:
    check_disjoint(blocks, train=train, judged=judged)
    return ClassSplit(train, judged, masked(classes, train), masked(blocks, train))


def _used(protocol: Protocol, classes: IntArray, train: IntArray, fold: int) -> IntArray:
    """The training rows that are used; the judged ones do not depend on the share."""
    return labelled_rows(classes, train, protocol.train_share, study_seed=protocol.seed, fold=fold, seed=0)


def _blocks(groups: StrArray, split: StrArray, known: IntArray, *, whole_groups: bool, near: bool) -> IntArray:
    """Code ``(N,)`` of what must stay together; -1 where no class is known."""
    alone = np.array([f"\x00{i}" for i in range(len(groups))], dtype=np.str_)
    names = np.where(groups != "", groups, alone) if whole_groups else alone
    together = split if near else np.full(len(split), "", dtype=np.str_)
    out = np.full(len(groups), -1, dtype=np.int64)
    out[known] = connected_units(names[known], together[known])
    return out


def _judgeable(named: StrArray, known: IntArray, block: IntArray, what: str) -> tuple[IntArray, list[str]]:
    """Rows of classes that have two blocks or more, and warnings about the others."""
    warnings = []
    if len(known) < len(named):
        warnings.append(f"{len(named) - len(known)} spectra without a {what} left out")
    pairs = np.unique(np.stack([np.unique(named[known], return_inverse=True)[1], block[known]]), axis=1)
    sizes = np.bincount(pairs[0])
    single = int((sizes < 2).sum())
    if single:
        warnings.append(
            f"{single} of {len(sizes)} classes cannot be both learnt and judged (one independent spectrum or group "
            "each): left out"
        )
    codes = np.unique(named[known], return_inverse=True)[1]
    kept: IntArray = known[sizes[codes] >= 2]
    if int((sizes >= 2).sum()) < 2:
        raise DataError(
            f"{int((sizes >= 2).sum())} classes have two independent spectra or groups: at least two such classes "
            f"are needed to tell them apart ({what} column)"
        )
    return kept, warnings


def _block_classes(classes: IntArray, blocks: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Distinct blocks, the class most of their spectra have, and how many spectra they hold."""
    names, local = np.unique(blocks, return_inverse=True)
    table = np.zeros((len(names), int(classes.max()) + 1), dtype=np.int64)
    np.add.at(table, (local, classes), 1)
    return names.astype(np.int64), table.argmax(axis=1).astype(np.int64), table.sum(axis=1)


def _fewest_folds(classes: IntArray, blocks: IntArray, rows: IntArray) -> int:
    """Folds so that the class with fewest blocks can be trained on in each: its blocks, two at least."""
    _, own, _ = _block_classes(classes[rows], blocks[rows])
    sizes = np.bincount(own)
    return max(2, int(sizes[sizes > 0].min()))


def _deal(classes: IntArray, blocks: IntArray, folds: int, seed: int) -> IntArray:
    """Fold of each row: a class's blocks go round the folds, largest first, ties at random by `seed`."""
    names, own, size = _block_classes(classes, blocks)
    rng = np.random.default_rng([seed, 307])
    noise = rng.random(len(names))
    fold = np.empty(len(names), dtype=np.int64)
    total = np.zeros(folds)
    for c in np.unique(own):
        held = np.zeros(folds)
        tie = rng.random(folds)
        members = np.flatnonzero(own == c)
        for b in members[np.lexsort((noise[members], -size[members]))]:
            target = int(np.lexsort((tie, total, held))[0])
            fold[b] = target
            held[target] += 1
            total[target] += size[b]
    out: IntArray = fold[np.searchsorted(names, blocks)]
    return out


def _hold_out(
    classes: IntArray, blocks: IntArray, rows: IntArray, share: float, seed: int
) -> tuple[IntArray, IntArray]:
    """Searched and held-out rows: a share of every class's blocks, two blocks at least being kept for the search."""
    names, own, _ = _block_classes(classes[rows], blocks[rows])
    rng = np.random.default_rng([seed, 311])
    held = np.zeros(len(names), dtype=np.bool_)
    for c in np.unique(own):
        members = rng.permutation(np.flatnonzero(own == c))
        held[members[: max(0, min(round(share * len(members)), len(members) - 2))]] = True
    out = held[np.searchsorted(names, blocks[rows])]
    if not out.any():
        raise InputError("too few spectra of each class to hold any out; use scoring: corrected-cv")
    return rows[~out], rows[out]
