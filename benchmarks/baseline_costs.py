"""What each baseline costs at the papers' size: 72 spectra of 2,080 channels, fitted on and scoring all 2,556 pairs.

CPU seconds of one fit with its scoring, and how many fits of the tuned linear metric that is, in the same run::

    OMP_NUM_THREADS=1 python benchmarks/baseline_costs.py
    OMP_NUM_THREADS=1 python benchmarks/baseline_costs.py svm-absolute lda-absolute
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence

import numpy as np

from spectrosim_search import baselines
from spectrosim_search.baselines import BaselineInput
from spectrosim_search.config import registry
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.simulators import simulate

AGAINST = "linear-metric-tuned"


def papers_size() -> BaselineInput:
    """All spectra to train on; all pairs, the order inside them turned, to score."""
    s = simulate()
    groups = np.unique(s.groups, return_inverse=True)[1]
    labels = np.unique(s.labels, return_inverse=True)[1]
    left, right = np.triu_indices(len(s), 1)
    pairs = PairSet(right, left, groups[left] == groups[right], np.full(left.size, -1))
    return BaselineInput(s, np.arange(len(s)), groups, labels, None, (pairs,))


def seconds(data: BaselineInput, name: str) -> float:
    """CPU seconds of one run; of what takes less than half a second the least of three."""
    taken: list[float] = []
    while not taken or (len(taken) < 3 and taken[0] < 0.5):
        start = time.process_time()
        baselines.run(name, data)
        taken.append(time.process_time() - start)
    return min(taken)


def main(names: Sequence[str]) -> None:
    """Print the table."""
    data = papers_size()
    baselines.run("ensemble-absolute", data)  # what is imported at first use is not a method's cost
    against = seconds(data, AGAINST)
    print(f"{'baseline':32} CPU s   x {AGAINST}")
    for name in names or registry.names("baselines"):
        taken = seconds(data, name)
        print(f"{name:32} {taken:5.2f}  {taken / against:5.1f}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="baselines (default: all)")
    main(parser.parse_args().names)
