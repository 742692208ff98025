"""What statistics cost at the end of a study, with what methods share found once and found anew for each.

Run: ``OMP_NUM_THREADS=1 python -m benchmarks.statistics_costs [--groups 60] [--seeds 30] [--methods 10] …``.

Simulated similarities of groups of three. A confirmation: intervals of every method and its paired difference to the
first. A correction: BBC-CV over trials with two seeds. *Anew*: nothing is kept of the pairs of a part, so that every
method is laid out and scored by itself.

And the correction of a committee of ten among trials of twice as many groups of five: *table* counts who beats whom
of all positives and negatives even where there are few weightings to sum.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from benchmarks._worlds import Cells, design_of, world
from spectrosim_search.config.study import Protocol
from spectrosim_search.evaluation import frames, resampling
from spectrosim_search.evaluation.committee import committee_bbc
from spectrosim_search.evaluation.statistics import bbc, jackknife, paired_difference
from spectrosim_search.protocol.design import make_design


def seconds(work: Callable[[], None]) -> float:
    """Processor seconds."""
    start = time.process_time()
    work()
    return time.process_time() - start


def committee(trials: dict[str, Cells], units: NDArray[np.int64]) -> None:
    """Correct the choice of the ten best."""
    committee_bbc(trials, 10, units, "auc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--groups", type=int, default=60)
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--methods", type=int, default=10)
    parser.add_argument("--trials", type=int, default=40)
    given = parser.parse_args()
    design, rng = design_of(given.groups, "plain"), np.random.default_rng(0)
    methods = world("equal", given.methods).cells(design, given.seeds, rng)
    trials = {str(i): m for i, m in enumerate(world("equal", given.trials).cells(design, 2, rng))}

    def confirmation() -> None:
        for metric in ("auc", "matched_auc"):
            for method in methods:
                jackknife(method, design.units, metric)
                paired_difference(methods[0], method, design.units, metric)

    def correction() -> None:
        bbc(trials, design.units, "auc")

    kept = frames.KEPT_PAIRS
    print(f"{'':14} {'anew, s':>9} {'shared, s':>10} {'ratio':>6}")
    for name, work in (("confirmation", confirmation), ("correction", correction)):
        frames.KEPT_PAIRS = -1
        anew = seconds(work)
        frames.KEPT_PAIRS = kept
        shared = seconds(work)
        print(f"{name:14} {anew:9.2f} {shared:10.2f} {anew / shared:6.1f}", flush=True)
    names = np.repeat([f"g{i:04d}" for i in range(2 * given.groups)], 5)
    none = np.full(names.size, "")
    large = make_design(names, none, none, Protocol(scoring="corrected-cv"))
    pool = {str(i): m for i, m in enumerate(world("equal", given.trials).cells(large, 2, rng))}
    few = resampling.FEW
    resampling.FEW = 1_000_000_000  # never few
    table = seconds(lambda: committee(pool, large.units))
    resampling.FEW = few
    ours = seconds(lambda: committee(pool, large.units))
    print(f"{'':14} {'table, s':>9} {'as is, s':>10} {'ratio':>6}")
    print(f"{'committee':14} {table:9.2f} {ours:10.2f} {table / ours:6.1f}")


if __name__ == "__main__":
    main()
