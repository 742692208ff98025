"""Label-stratified grouped folds: no group, and no coarser unit, is ever cut in two.

A *unit* is what must stay on one side: the value of the `split` column where there is one, else the group. Groups that
touch several units, and units that touch several groups, are joined (connected components), so that disjoint units
always mean disjoint groups too.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import InputError

__all__ = ["connected_units", "grouped_folds", "majority", "union_find"]

IntArray = NDArray[np.int64]
StrArray = NDArray[np.str_]


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
    return np.unique(roots[codes], return_inverse=True)[1].astype(np.int64)


def majority(codes: IntArray, labels: IntArray) -> IntArray:
    """Most frequent label of each code `0..max`; of equally frequent ones the smallest."""
    table = np.zeros((int(codes.max(initial=-1)) + 1, int(labels.max(initial=-1)) + 1), dtype=np.int64)
    np.add.at(table, (codes, labels), 1)
    return table.argmax(axis=1).astype(np.int64)


def grouped_folds(
    groups: StrArray | IntArray, labels: StrArray | IntArray, units: StrArray, k: int, seed: int
) -> IntArray:
    """Deal whole units into `k` folds and return the fold number of every spectrum, `(N,)`.

    The stratum of a unit is its most frequent label. Units that hold a group of two or more spectra are dealt first,
    singletons afterwards and on their own, so that every fold gets its share of groups that give positive pairs. A
    label with fewer than ``2 k`` such groups goes to fewer folds, two groups at least in each: one group of a label
    alone in a fold has no other group of that label to be told from. Within a label, units go to the
    fold that has fewest groups of it, then to the one with fewest spectra; ties are broken at random by `seed`.

    Raises InputError when there are fewer units with a group of two or more spectra than folds.
    """
    unit = connected_units(groups, units)
    group = np.unique(groups, return_inverse=True)[1]
    label = np.unique(labels, return_inverse=True)[1].astype(np.int64)
    group_sizes = np.bincount(group)
    first_row = np.unique(group, return_index=True)[1]
    unit_of_group = unit[first_row]
    count = int(unit.max(initial=-1)) + 1
    spectra = np.bincount(unit, minlength=count)
    repeated = np.bincount(unit_of_group, weights=group_sizes >= 2, minlength=count).astype(np.int64)
    if int((repeated > 0).sum()) < k:
        raise InputError(
            f"too few groups for {k} folds: {int((repeated > 0).sum())} independent groups have two or more spectra; "
            "use fewer folds or measure more groups"
        )
    stratum = majority(unit, label)
    rng = np.random.default_rng([seed, 101])
    noise = rng.random(count)
    tie = rng.random((2, int(stratum.max()) + 1, k))
    fold_of_unit = np.full(count, -1, dtype=np.int64)
    held = np.zeros(k)  # spectra in each fold so far
    for kind, members in enumerate((repeated > 0, repeated == 0)):
        weight = repeated if kind == 0 else np.ones(count, dtype=np.int64)
        totals = np.bincount(stratum[members], weights=weight[members], minlength=int(stratum.max()) + 1)
        for s in np.argsort(-totals, kind="stable"):
            rows = np.flatnonzero(members & (stratum == s))
            rows = rows[np.lexsort((noise[rows], -spectra[rows], -weight[rows]))]
            order = np.lexsort((tie[kind, s], held))
            usable = k if kind == 1 else min(k, max(1, int(totals[s]) // 2))
            dealt = np.full(k, np.inf)
            dealt[order[:usable]] = 0.0
            for u in rows:
                target = int(np.lexsort((tie[kind, s], held, dealt))[0])
                fold_of_unit[u] = target
                dealt[target] += weight[u]
                held[target] += spectra[u]
    fold: IntArray = fold_of_unit[unit]
    return fold
