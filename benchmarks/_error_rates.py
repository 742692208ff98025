"""Error rates of an exported model: a world of groups with known spread, and what a threshold does to other groups.

Unit vectors around group centres in six dimensions, groups of three; the truth is read off 4,000 spectra of others.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.deploy.decision import OutOfFold, decide

__all__ = ["rates"]

SIZE = 3


def _world(groups: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Group codes and unit vectors of `groups` groups of three."""
    codes = np.repeat(np.arange(groups), SIZE)
    z = rng.normal(size=(groups, 6))[codes] + rng.normal(size=(len(codes), 6))
    return codes, z / np.linalg.norm(z, axis=1, keepdims=True)


def _parts(codes: NDArray[np.int64], z: NDArray[np.float64], folds: int) -> list[OutOfFold]:
    """All pairs inside each grouped fold."""
    out = []
    for fold in range(folds):
        rows = np.flatnonzero(codes % folds == fold)
        i, j = np.triu_indices(len(rows), 1)
        left, right = rows[i], rows[j]
        similarity = (z[left] * z[right]).sum(axis=1).astype(np.float32)
        stratum = np.zeros(len(left), np.int64)
        out.append(OutOfFold(fold, 0, left, right, codes[left] == codes[right], stratum, similarity))
    return out


@dataclass(frozen=True, eq=False)
class _Population:
    """Sorted similarities of same and different pairs ``(P,)`` of many groups, and their AUC."""

    same: NDArray[np.float64]
    different: NDArray[np.float64]
    auc: float


@functools.cache
def _population() -> _Population:
    rng = np.random.default_rng(5)
    codes, z = _world(4000 // SIZE, rng)
    left, right = rng.integers(0, len(codes), (2, 400_000))
    different = np.sort((z[left] * z[right]).sum(axis=1)[codes[left] != codes[right]])
    i, j = np.triu_indices(SIZE, 1)
    first = np.arange(0, len(codes), SIZE)[:, None]
    same = np.sort((z[first + i] * z[first + j]).sum(axis=2).ravel())
    return _Population(same, different, float(np.searchsorted(different, same).mean() / len(different)))


def rates(groups: int, rng: np.random.Generator) -> dict[str, float]:
    """Whether each interval of one export holds the truth, 1 or 0."""
    known = _population()
    units, vectors = _world(groups, rng)
    found = decide(_parts(units, vectors, 2 if groups < 12 else 3), units)
    false_same = 1 - np.searchsorted(known.different, found.threshold) / len(known.different)
    false_different = np.searchsorted(known.same, found.threshold) / len(known.same)
    truth = {
        "false_same": false_same,
        "false_different": false_different,
        "balanced_accuracy": 1 - (false_same + false_different) / 2,
        "auc": known.auc,
    }
    out = {}
    for name, value in truth.items():
        estimate = getattr(found, name)
        out[name] = float(estimate.low <= value <= estimate.high)
    return out
