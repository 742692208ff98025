"""How hard the simulated fish are: AUC on held-out batches of fixed methods and of the oracle.

Each seed is another population; a label-stratified third of its batches is held out. Prints mean and standard
deviation over seeds::

    python benchmarks/simulator_difficulty.py --seeds 40 --set fish_spread=0.4

Measured with the default parameters over seeds 0 to 39 (mean, standard deviation over populations in brackets):

====================  =============  ================
method                AUC            matched-label AUC
====================  =============  ================
cosine                .663 (.065)    .594 (.054)
cosine, tuned         .721 (.082)    .633 (.074)
linear metric         .884 (.041)    .771 (.076)
linear metric, tuned  .901 (.040)    .802 (.073)
oracle                .997 (.004)    .994 (.008)
====================  =============  ================
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from spectrosim_search import baselines
from spectrosim_search.baselines import BaselineInput
from spectrosim_search.evaluation.verification import auc, matched_auc
from spectrosim_search.protocol.folds import grouped_folds
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet

METHODS = ("cosine", "cosine-tuned", "linear-metric", "linear-metric-tuned", "oracle")


def held_out(spectra: SpectraSet, seed: int) -> BaselineInput:
    """One third of the groups held out, all their pairs to be scored."""
    known = np.flatnonzero(spectra.groups != "")
    fold = np.full(len(spectra), -1)
    fold[known] = grouped_folds(spectra.groups[known], spectra.labels[known], spectra.split[known], 3, seed)
    groups = np.unique(spectra.groups, return_inverse=True)[1]
    labels = np.unique(spectra.labels, return_inverse=True)[1]
    labels = np.where(spectra.labels == "", -1, labels)
    test = np.flatnonzero(fold == 0)
    i, j = np.triu_indices(test.size, 1)
    left, right = test[i], test[j]
    low, high = np.minimum(labels[left], labels[right]), np.maximum(labels[left], labels[right])
    stratum = np.where(low < 0, -1, low * (labels.max() + 1) + high)
    pairs = PairSet(left, right, groups[left] == groups[right], stratum)
    return BaselineInput(spectra, np.flatnonzero(fold > 0), groups, labels, None, (pairs,), "matched_auc", seed)


def measure(data: BaselineInput, method: str) -> tuple[float, float, float]:
    """AUC over all pairs, matched-label AUC, seconds."""
    start = time.perf_counter()
    output = baselines.run(method, data)
    seconds = time.perf_counter() - start
    pairs, similarity = data.pairs[0], output.similarities[0]
    matched = matched_auc(similarity, pairs.positive, pairs.stratum).value
    return auc(similarity, pairs.positive), matched, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=NUMBER")
    options = parser.parse_args()
    given = (item.split("=", 1) for item in options.set)
    parameters = {name: float(v) if "." in v or "e" in v else int(v) for name, v in given}
    table = np.array(
        [
            [measure(data, method) for method in METHODS]
            for data in (held_out(simulate(**parameters, seed=seed), seed) for seed in range(options.seeds))
        ]
    )
    print(f"{options.seeds} seeds, {parameters or 'default parameters'}")
    print(f"{'method':22}{'AUC':>8}{'sd':>7}{'matched':>9}{'sd':>7}{'s':>7}")
    for number, method in enumerate(METHODS):
        mean, sd = table[:, number].mean(axis=0), table[:, number].std(axis=0, ddof=1)
        print(f"{method:22}{mean[0]:8.3f}{sd[0]:7.3f}{mean[1]:9.3f}{sd[1]:7.3f}{mean[2]:7.2f}")


if __name__ == "__main__":
    main()
