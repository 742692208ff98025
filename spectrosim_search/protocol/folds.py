"""Label-stratified grouped folds: no group, and no coarser unit, is ever cut in two.

A *unit* is what must stay on one side: the value of the `split` column where there is one, else the group. Groups that
touch several units, and units that touch several groups, are joined (connected components), so that disjoint units
always mean disjoint groups too.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError

__all__ = ["connected_units", "grouped_folds", "majority", "union_find"]

IntArray = NDArray[np.int64]
StrArray = NDArray[np.str_]


def _int(values: NDArray[np.integer[Any]]) -> IntArray:
    return values.astype(np.int64)


def union_find(size: int, left: IntArray, right: IntArray) -> IntArray:
    """Return for each of `size` nodes the smallest node of its component; `left[i]` and `right[i]` are joined."""
    parent = list(range(size))

    def root(node: int) -> int:
        while parent[node] != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for a, b in zip(left.tolist(), right.tolist(), strict=True):
        a, b = root(a), root(b)
        parent[max(a, b)] = min(a, b)
    return np.array([root(node) for node in range(size)], dtype=np.int64)


def connected_units(groups: StrArray | IntArray, units: StrArray) -> IntArray:
    """Number the units `(N,)` that must stay together, by the sorted order of their group names.

    `units` is the `split` column; an empty string adds nothing to the group. The numbers do not depend on the order
    of the rows.
    """
    names, codes = np.unique(groups, return_inverse=True)
    known = units != ""
    unit_names, unit_codes = np.unique(units[known], return_inverse=True)
    roots = union_find(len(names) + len(unit_names), codes[known].astype(np.int64), unit_codes + len(names))
    return _int(np.unique(roots[codes], return_inverse=True)[1])


def majority(codes: IntArray, labels: IntArray) -> IntArray:
    """Most frequent label of each code `0..max`; of equally frequent ones the smallest."""
    table = np.zeros((int(codes.max(initial=-1)) + 1, int(labels.max(initial=-1)) + 1), dtype=np.int64)
    np.add.at(table, (codes, labels), 1)
    return _int(table.argmax(axis=1))


def grouped_folds(
    groups: StrArray | IntArray, labels: StrArray | IntArray, units: StrArray, k: int, seed: int
) -> IntArray:
    """Deal whole units into `k` folds and return the fold number of every spectrum, `(N,)`.

    The stratum of a unit is its most frequent label. Units that hold a group of two or more spectra are dealt first,
    singletons afterwards and on their own, so that every fold gets its share of groups that give positive pairs.
    Within a label, units go to the fold that has fewest of its groups, then fewest groups, then fewest spectra; ties
    are broken at random by `seed`. A label with fewer than ``2 k`` such groups goes to fewer folds, two groups at least
    in each: a group alone of its label in a fold has no other group of that label to be told from. Where that would
    leave a fold short of groups (fewer than four, which is what halving needs), labels are dealt plainly.

    Raises InputError when there are fewer units with a group of two or more spectra than folds.
    """
    unit = connected_units(groups, units)
    group = np.unique(groups, return_inverse=True)[1]
    label = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    unit_of_group = unit[np.unique(group, return_index=True)[1]]
    count = int(unit.max(initial=-1)) + 1
    spectra = np.bincount(unit, minlength=count)
    repeated = np.bincount(unit_of_group, weights=np.bincount(group) >= 2, minlength=count).astype(np.int64)
    independent = int((repeated > 0).sum())
    if independent < k:
        raise InputError(
            f"too few groups for {k} folds: {independent} independent groups have two or more spectra; "
            "use fewer folds or measure more groups"
        )
    stratum = majority(unit, label)
    rng = np.random.default_rng([seed, 101])
    noise = rng.random(count)
    tie = rng.random((int(stratum.max()) + 1, k))
    fold = np.empty(0, dtype=np.int64)
    for least in (2, 1):
        fold = _deal(stratum, repeated, spectra, k, noise, tie, least)
        if np.bincount(fold[repeated > 0], minlength=k).min() >= min(4, independent // k):
            break
    return _int(fold[unit])


def _deal(
    stratum: IntArray,
    repeated: IntArray,
    spectra: IntArray,
    k: int,
    noise: NDArray[np.float64],
    tie: NDArray[np.float64],
    least: int,
) -> IntArray:
    """Fold of each unit; a label's groups that give positives come at least `least` to a fold, where they can."""
    fold = np.full(len(stratum), -1, dtype=np.int64)
    held_groups, held_spectra = np.zeros(k), np.zeros(k)
    for gives in (True, False):
        members = (repeated > 0) == gives
        weight = repeated if gives else np.ones_like(repeated)
        totals = np.bincount(stratum[members], weights=weight[members], minlength=len(tie))
        for s in np.argsort(-totals, kind="stable"):
            rows = np.flatnonzero(members & (stratum == s))
            rows = rows[np.lexsort((noise[rows], -spectra[rows], -weight[rows]))]
            folds = min(k, max(1, int(totals[s]) // least)) if gives else k
            dealt = np.full(k, np.inf)
            dealt[np.lexsort((tie[s], held_spectra, held_groups))[:folds]] = 0.0
            for u in rows:
                target = int(np.lexsort((tie[s], held_spectra, held_groups, dealt))[0])
                fold[u] = target
                dealt[target] += weight[u]
                held_groups[target] += weight[u]
                held_spectra[target] += spectra[u]
    return fold
