"""How often the intervals of a model's error rates cover what the model does to new groups.

A world of groups with known spread: unit vectors around group centres in six dimensions. Data sets of 8 to 60 groups
of three give a threshold and intervals; the truth is what that threshold does to 4,000 spectra of other groups.
Nominal: .95.

Measured (200 data sets each; false same / false different / balanced accuracy / AUC):
8 groups .985 / .945 / .985 / .985; 12 groups 1.0 / .98 / .99 / .975; 24 groups .995 / .955 / .985 / .98;
60 groups .97 / .97 / .98 / .95.

Run: ``python benchmarks/error_rate_coverage.py`` (about a minute).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parents[1]))

from spectrosim_search.deploy.decision import OutOfFold, decide

REPEATS = 200
SIZE = 3


def world(groups: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Group codes and unit vectors of `groups` groups of three."""
    codes = np.repeat(np.arange(groups), SIZE)
    z = rng.normal(size=(groups, 6))[codes] + rng.normal(size=(len(codes), 6))
    return codes, z / np.linalg.norm(z, axis=1, keepdims=True)


def parts(codes: NDArray[np.int64], z: NDArray[np.float64], folds: int) -> list[OutOfFold]:
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


def main() -> None:
    """Print the coverage of each interval."""
    rng = np.random.default_rng(5)
    codes, z = world(4000 // SIZE, rng)
    left, right = rng.integers(0, len(codes), (2, 400_000))
    different = np.sort((z[left] * z[right]).sum(axis=1)[codes[left] != codes[right]])
    i, j = np.triu_indices(SIZE, 1)
    first = np.arange(0, len(codes), SIZE)[:, None]
    same = np.sort((z[first + i] * z[first + j]).sum(axis=2).ravel())
    auc = float(np.searchsorted(different, same).mean() / len(different))
    for groups, folds in ((8, 2), (12, 3), (24, 3), (60, 3)):
        hits = dict.fromkeys(("false_same", "false_different", "balanced_accuracy", "auc"), 0)
        for _ in range(REPEATS):
            units, vectors = world(groups, rng)
            found = decide(parts(units, vectors, folds), units)
            false_same = 1 - np.searchsorted(different, found.threshold) / len(different)
            false_different = np.searchsorted(same, found.threshold) / len(same)
            truth = (false_same, false_different, 1 - (false_same + false_different) / 2, auc)
            for name, value in zip(hits, truth):
                estimate = getattr(found, name)
                hits[name] += bool(estimate.low <= value <= estimate.high)
        print(groups, "groups:", {name: count / REPEATS for name, count in hits.items()})


if __name__ == "__main__":
    main()
