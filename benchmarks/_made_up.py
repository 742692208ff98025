"""Made-up tables: the parts a score consists of are known, so that ladders can be judged where recording is too slow.

A score is the configuration's worth + how hard the cell is + how the configuration takes to the fold + how it takes to
the seed. Spreads are those of recordings (see docs/benchmarks.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks._table import Entry, Recorded, Table
from spectrosim_search.config.study import Study

__all__ = ["LIKE", "Spreads", "made_up_table"]


@dataclass(frozen=True)
class Spreads:
    """Standard deviations. `skew`: 0 normal; above, most configurations are near the best and some far below."""

    worth: float
    cell: float
    fold: float
    seed: float
    skew: float = 0.0


LIKE = {
    "maldi-species": Spreads(worth=0.040, cell=0.032, fold=0.031, seed=0.061),
    "nir-tablets": Spreads(worth=0.060, cell=0.026, fold=0.025, seed=0.031, skew=1.0),
}


def made_up_table(
    spreads: Spreads, *, size: int = 300, folds: int = 3, seeds: int = 4, epochs: int = 20, seed: int = 0
) -> Table:
    """A table of `size` configurations × (`folds` × `seeds`) cells in their fixed order, no parameters."""
    rng = np.random.default_rng([seed, 29])
    cells = folds * seeds
    drawn = rng.normal(size=size)
    if spreads.skew > 0:
        drawn = -rng.gamma(1.0 / spreads.skew**2, spreads.skew, size=size) * spreads.skew
    worth = 0.7 + spreads.worth * drawn / max(1e-9, drawn.std())
    hard = spreads.cell * rng.normal(size=cells)
    by_fold = spreads.fold * rng.normal(size=(size, folds))
    by_seed = spreads.seed * rng.normal(size=(size, cells))
    score = worth[:, None] + hard + np.tile(by_fold, (1, seeds)) + by_seed
    at = np.arange(epochs + 1)
    entries = []
    for number in range(size):
        pace = rng.uniform(0.1, 0.3) * epochs
        recorded = []
        for cell in range(cells):
            curve = 0.5 + (score[number, cell] - 0.5) * (1 - np.exp(-at / pace)) + 0.01 * rng.normal(size=epochs + 1)
            curve[-1] = score[number, cell]
            recorded.append(Recorded(float(score[number, cell]), "finished", epochs, curve.astype(np.float32), 1.0))
        entries.append(Entry(number, {}, tuple(recorded)))
    return Table(Study("made up"), "made-up", tuple(entries))
