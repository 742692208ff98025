"""Groups of the judged pairs: their codes, names, and how often pairs of two groups were called the same."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.search.records import ConfirmationRecord, PairScores, StudyRecord

__all__ = [
    "MOST",
    "GroupErrors",
    "by_name",
    "group_errors",
    "joined_groups",
    "named_groups",
    "why_missing",
    "worst_first",
]

MOST = 40  # groups in a figure

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class GroupErrors:
    """Pairs of groups at the models' own thresholds; G groups by code.

    called and judged ``(G, G)``, symmetric: pairs called the same, and all pairs. strata ``(G,)``: label pair of a
    group's own pairs, -1 where unknown or mixed.
    """

    names: tuple[str, ...]
    called: Floats
    judged: Floats
    strata: Ints

    @property
    def rate(self) -> Floats:
        """Share called the same ``(G, G)``; NaN where two groups never met. The diagonal holds pairs found."""
        return np.asarray(np.where(self.judged > 0, self.called / np.maximum(self.judged, 1), np.nan))

    @property
    def miss(self) -> Floats:
        """Share of a group's own pairs that were not found ``(G,)``; NaN without any."""
        return np.asarray(1 - np.diag(self.rate))

    @property
    def false_alarm(self) -> Floats:
        """Share of a group's pairs with other groups that were called the same ``(G,)``; NaN without any."""
        judged = self.judged.sum(axis=1) - np.diag(self.judged)
        called = self.called.sum(axis=1) - np.diag(self.called)
        return np.asarray(np.where(judged > 0, called / np.maximum(judged, 1), np.nan))


def joined_groups(pairs: Sequence[PairScores]) -> Ints:
    """Code of every spectrum ``(N,)`` by what same-batch pairs join; the code is the first row of its group."""
    rows = 1 + max((int(max(p.left.max(), p.right.max())) for p in pairs if len(p.left)), default=-1)
    codes = np.arange(rows, dtype=np.int64)
    joined = [np.stack([p.left[p.positive], p.right[p.positive]], axis=1) for p in pairs]
    edges = np.unique(np.concatenate(joined), axis=0) if joined else np.zeros((0, 2), np.int64)
    while len(edges):  # every spectrum takes the smallest row it is joined with, until nothing changes
        before = codes.copy()
        least = np.minimum(codes[edges[:, 0]], codes[edges[:, 1]])
        np.minimum.at(codes, edges[:, 0], least)
        np.minimum.at(codes, edges[:, 1], least)
        if bool((codes == before).all()):
            break
    return codes


def named_groups(c: ConfirmationRecord) -> tuple[Ints, tuple[str, ...]]:
    """Group code of every spectrum that a judged pair holds ``(N,)``, -1 for others, and the groups' names.

    Records older than the names give them away by their same-batch pairs: what these join is one group.
    """
    if c.group_codes.size and c.group_names:
        return c.group_codes, c.group_names
    kept, codes = np.unique(joined_groups(c.pairs), return_inverse=True)
    return codes.astype(np.int64), tuple(f"group of row {row + 1}" for row in kept)


def group_errors(c: ConfirmationRecord) -> GroupErrors | None:
    """Count over all sets of pairs with a threshold chosen on other pairs; None where no set has one."""
    sets: Sequence[PairScores] = [p for p in c.pairs if np.isfinite(p.threshold) and len(p.left)]
    if not sets:
        return None
    codes, names = named_groups(c)
    called, judged = np.zeros((len(names), len(names))), np.zeros((len(names), len(names)))
    strata = np.full(len(names), -2, dtype=np.int64)
    for p in sets:
        a, b = codes[p.left], codes[p.right]
        np.add.at(judged, (a, b), 1.0)
        np.add.at(called, (a, b), (p.similarity >= p.threshold).astype(np.float64))
        own, stratum = np.unique(np.stack([a[p.positive], p.stratum[p.positive]]), axis=1)
        strata[own] = np.where((strata[own] == -2) | (strata[own] == stratum), stratum, -1)
    turned = np.ones(judged.shape) - np.eye(len(names))  # a pair inside a group stands on the diagonal once
    return GroupErrors(
        names=names,
        called=called + turned * called.T,
        judged=judged + turned * judged.T,
        strata=np.where(strata == -2, -1, strata),
    )


def worst_first(errors: GroupErrors) -> Ints:
    """Codes of the groups with a judged pair, by the mean of what is known of missed pairs and false alarms, the worst
    first."""
    both = np.stack([errors.miss, errors.false_alarm])
    defined = np.isfinite(both)
    judged = np.flatnonzero(defined.any(axis=0))
    mean = np.where(defined, both, 0.0).sum(axis=0)[judged] / defined.sum(axis=0)[judged]
    return np.asarray(judged[np.argsort(-mean, kind="stable")])


def by_name(errors: GroupErrors, chosen: Sequence[int]) -> list[int]:
    """Order groups by the label pair of their own pairs, then by name with numbers in their order."""

    def place(group: int) -> tuple[int, list[tuple[int, int, str]]]:
        parts = re.split(r"(\d+)", errors.names[group])
        return int(errors.strata[group]), [(0, int(t), "") if t.isdigit() else (1, 0, t) for t in parts]

    return sorted(chosen, key=place)


def why_missing(record: StudyRecord) -> str:
    """Why errors by group cannot be told."""
    c = record.confirmation
    if c is None:
        return "nothing is confirmed yet"
    return "no set of pairs has a threshold chosen on other pairs" if c.pairs else "no model was trained"
