"""The leakage audit: how much of the answer follows from the training pairs alone.

A union-find joins spectra that training calls the same; a judged pair scores 1 where both its spectra end up joined,
else 0. It never looks at an intensity. Under `batch-disjoint` and `shared-batch` no judged pair can be joined: .5
exactly. Under `random-pairs` the pair (a, c) is given away by (a, b) and (b, c); a result there says little until it
beats this number.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.protocol.cells import CellSplit
from spectrosim_search.protocol.design import Design
from spectrosim_search.protocol.folds import union_find
from spectrosim_search.protocol.pairs import PairSet

__all__ = ["LeakageAudit", "audit", "expected", "expected_balanced_accuracy", "implied"]

LARGEST_ENUMERATED = 5  # spectra in a group: 2^9 graphs


@dataclass(frozen=True)
class LeakageAudit:
    """What the intensity-blind union-find scores; means over cells.

    auc equals balanced_accuracy (at the threshold .5), for the score has two values. expected: closed form, see
    :func:`expected_balanced_accuracy`. sd: spread over seeds of the mean over folds. NaN where no part is defined.
    """

    auc: float
    balanced_accuracy: float
    expected: float
    sd: float
    cells: int


def implied(split: CellSplit, pairs: PairSet) -> NDArray[np.bool_]:
    """Which of `pairs` the training relation joins, ``(P,)``."""
    n = len(split.groups)
    if split.relation is None:
        order = split.train[np.argsort(split.groups[split.train], kind="stable")]
        same = split.groups[order[1:]] == split.groups[order[:-1]]
        roots = union_find(n, order[:-1][same], order[1:][same])
    else:
        left, right = np.nonzero(np.triu(split.relation == 1, 1))
        roots = union_find(n, left.astype(np.int64), right.astype(np.int64))
    joined: NDArray[np.bool_] = roots[pairs.left] == roots[pairs.right]
    return joined


def audit(design: Design, seeds: int | Sequence[int] = 1) -> LeakageAudit:
    """Score the union-find under the study's own splits, over all folds and the given seeds (a count or a list)."""
    numbers = range(seeds) if isinstance(seeds, int) else seeds
    by_seed: list[float] = []
    cells = 0
    for seed in numbers:
        scores = []
        for fold in range(design.folds):
            cell = design.split(fold, seed)
            for half in cell.halves:
                if half.positive.any() and not half.positive.all():
                    joined = implied(cell, half)
                    scores.append(0.5 * (joined[half.positive].mean() + 1.0 - joined[~half.positive].mean()))
            cells += 1
        if scores:
            by_seed.append(float(np.mean(scores)))
    value = float(np.mean(by_seed)) if by_seed else float("nan")
    sd = float(np.std(by_seed, ddof=1)) if len(by_seed) > 1 else float("nan")
    return LeakageAudit(value, value, expected(design), sd, cells)


def expected(design: Design, *, held_out: bool = False) -> float:
    """What the union-find should score on the folds of a design, or on its held-out pairs; .5 where nothing leaks."""
    if design.protocol.name != "random-pairs":
        return 0.5
    rows = design.codes.usable()
    sizes = np.bincount(design.codes.groups[rows])
    positives = int((sizes * (sizes - 1) // 2).sum())
    held = 0 if design.hold_out is None else int(design.hold_out.pairs.positive.sum())
    known = float(positives - held)
    return expected_balanced_accuracy(sizes.tolist(), known if held_out else known - known / design.folds)


def expected_balanced_accuracy(sizes: Sequence[int], known: float) -> float:
    """Balanced accuracy of the union-find when `known` of all positive pairs are drawn for training.

    A judged positive of a group of m is found when its two spectra are connected in the random graph of the group's
    other m (m - 1) / 2 - 1 pairs; no judged negative ever is. So the value is ``.5 + P / 2``, P averaged over groups by
    their positives. For m = 3 and very many groups ``P = p²`` with p the share in training. Up to m = 5 all
    graphs are enumerated, drawn without replacement (hypergeometric); above, edges count as independent and
    Gilbert's recursion (1959, Ann. Math. Stat. 30:1141) gives P.
    """
    pairs = [m * (m - 1) // 2 for m in sizes]
    total = sum(pairs)
    if total == 0:
        return float("nan")
    found = {m: _connected(m, known, total) for m in set(sizes) if m >= 2}
    weighted = sum(found[m] * n for m, n in zip(sizes, pairs, strict=True) if m >= 2)
    return 0.5 + 0.5 * weighted / total


def _connected(m: int, known: float, total: int) -> float:
    """Chance that two members of a group of `m` are connected through other training pairs."""
    if m == 2 or total < 2:
        return 0.0
    if m > LARGEST_ENUMERATED:
        return _gilbert(m, known / (total - 1))
    low = math.floor(known)  # a fractional mean count lies between two whole ones
    share = known - low
    value = (1.0 - share) * _enumerated(m, low, total)
    return value + share * _enumerated(m, low + 1, total) if share > 0 else value


def _enumerated(m: int, known: int, total: int) -> float:
    """Exact chance when `known` of the other ``total - 1`` positives are in training."""
    edges = [e for e in itertools.combinations(range(m), 2) if e != (0, 1)]
    counts = [0] * (len(edges) + 1)  # by number of edges: graphs that connect 0 and 1
    for mask in range(1 << len(edges)):
        reached = {0}
        chosen = [e for i, e in enumerate(edges) if mask >> i & 1]
        for _ in range(m):
            reached |= {b for a, b in chosen if a in reached} | {a for a, b in chosen if b in reached}
        counts[len(chosen)] += 1 in reached
    rest = total - 1 - len(edges)
    ways = sum(c * math.comb(rest, known - j) for j, c in enumerate(counts) if 0 <= known - j <= rest)
    return ways / math.comb(total - 1, known)


def _gilbert(m: int, p: float) -> float:
    """Chance that two nodes of a random graph on `m` nodes, edge probability `p`, connect without their own edge."""
    q = 1.0 - p
    whole = [0.0, 1.0]  # whole[k]: a random graph on k nodes is connected
    for k in range(2, m + 1):
        whole.append(1.0 - sum(math.comb(k - 1, j - 1) * whole[j] * q ** (j * (k - j)) for j in range(1, k)))
    joined = sum((k - 1) / (m - 1) * math.comb(m - 1, k - 1) * whole[k] * q ** (k * (m - k)) for k in range(2, m + 1))
    return 1.0 if q == 0 else min(1.0, max(0.0, (joined - p) / q))
