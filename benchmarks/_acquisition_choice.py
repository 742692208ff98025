"""Spreads of changed acquisitions, measured and chosen inside a training part, never on what they are used for.

Compounds are dealt to two halves. In each half tilt, power and deviations are measured on pairs of its own training
spectra, and a multiple of them and a share of passed-on limits are chosen by inner folds over these spectra; the choice
is used to make spectra of the *other* half. So no judged spectrum has a say in how synthetic spectra are made, nor has
a further spectrum of the same compound that a cap on training spectra leaves out. What is chosen for one training
spectrum a compound is used for more as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.worth import fit_classifier, scores
from spectrosim_search.learning.acquisition import Variation, learn

__all__ = ["Choice", "capped", "choose", "dealt"]

_INNER = 2  # folds: with one or two training spectra a compound more of them would judge fewer
_FACTORS = (1.0, 2.0, 4.0)  # of the measured spreads
_TRANSFER = (0.5, 1.0)

Settings = dict[str, float]
Made = tuple[NDArray[np.float32], NDArray[np.int64]]
Maker = Callable[[Settings, NDArray[np.int64], NDArray[np.int64], int], Made]  # (spreads, classes, rows, seed)


@dataclass(frozen=True, eq=False)
class Choice:
    """half: which half each compound belongs to ``(C,)``; spreads: what is used for it, chosen by the other one."""

    half: NDArray[np.int64]
    spreads: tuple[Settings, Settings]


def _candidates(found: Variation) -> list[Settings]:
    return [
        {
            "tilt": round(f * found.tilt, 4), "power": round(f * found.power, 4), "noise": round(f * found.noise, 4),
            "transfer": t, "prior": 1e6,
        }
        for f in _FACTORS
        for t in _TRANSFER
    ]  # fmt: skip


def dealt(groups: NDArray[np.int64], blocks: NDArray[np.int64], parts: int, seed: int) -> NDArray[np.int64]:
    """Deal the blocks of every group to `parts` folds in turn, from a random fold on: ``(n,)``."""
    random = np.random.default_rng(seed)
    out = np.empty(groups.size, np.int64)
    for group in np.unique(groups):
        start = random.integers(parts)
        for place, block in enumerate(random.permutation(np.unique(blocks[groups == group]))):
            out[blocks == block] = (start + place) % parts
    return out


def capped(rows: NDArray[np.int64], groups: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    """At most `most` of `rows` for each group, 0: all."""
    random = np.random.default_rng([seed, most])
    return np.sort(
        np.concatenate([random.permutation(rows[groups[rows] == g])[: most or None] for g in np.unique(groups[rows])])
    )


def _shares(
    candidates: Sequence[Settings],
    x: NDArray[np.float32],
    groups: NDArray[np.int64],
    blocks: NDArray[np.int64],
    rows: NDArray[np.int64],
    make: Maker,
    seed: int,
) -> NDArray[np.float64]:
    """Inner accuracy of each candidate ``(K,)``, mean over groups, by a forest on one spectrum a group."""
    count = int(groups.max()) + 1
    fold = np.full(groups.size, -1)
    fold[rows] = dealt(groups[rows], blocks[rows], _INNER, seed)
    right, judged = np.zeros((len(candidates), count)), np.zeros(count)
    for held in range(_INNER):
        learnt = capped(rows[fold[rows] != held], groups, 1, seed)
        named = rows[(fold[rows] == held) & np.isin(groups[rows], groups[learnt])]
        judged += np.bincount(groups[named], minlength=count)
        hidden = np.full(groups.size, -1)
        hidden[learnt] = groups[learnt]
        for i, spreads in enumerate(candidates):
            made, codes = make(spreads, hidden, learnt, seed + held)
            known = np.concatenate([x[learnt], made]), np.concatenate([groups[learnt], codes])
            model = fit_classifier("random-forest", *known, count, seed + held)
            hit = scores(model, x[named]).argmax(axis=1) == groups[named]
            right[i] += np.bincount(groups[named], hit, count)
    return np.asarray((right[:, judged > 0] / judged[judged > 0]).mean(axis=1))


def choose(
    x: NDArray[np.float32],
    axis: NDArray[np.float64],
    groups: NDArray[np.int64],
    blocks: NDArray[np.int64],
    train: NDArray[np.int64],
    make: Maker,
    seed: int,
) -> Choice:
    """Choose spreads for each half of the compounds on training rows `train` ``(n,)`` of spectra x ``(N, L)``.

    groups, blocks: ``(N,)``; `make` makes spectra of rows.
    """
    half = np.random.default_rng([seed, 2]).permutation(int(groups.max()) + 1) % 2
    best: list[Settings] = []
    for own in (0, 1):
        rows = train[half[groups[train]] == own]
        single = rows[np.sort(np.unique(blocks[rows], return_index=True)[1])]  # near-duplicates differ by nothing
        found = _candidates(learn(x[single], groups[single], axis, Variation(0.0, 0.0, 0.0), 0.0))
        best.append(found[int(_shares(found, x, groups, blocks, rows, make, seed).argmax())])
    return Choice(half, (best[1], best[0]))
