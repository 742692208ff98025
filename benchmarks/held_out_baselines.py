"""Baselines on held-out groups of real spectra: AUC and matched-label AUC, and paired changes against the first method.

Each split holds out a label-stratified third of the groups. The grid of the tuned metrics can be changed::

    OMP_NUM_THREADS=1 python -m benchmarks.held_out_baselines spectra.csv.gz linear-metric-tuned plda-tuned --splits 6
    OMP_NUM_THREADS=1 python -m benchmarks.held_out_baselines spectra.csv.gz linear-metric-tuned \\
        --splits 8 --axes 10,20,60,140 --shrinkage .001,.01,.1,.5
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.simulator_difficulty import held_out, measure
from spectrosim_search.baselines import _metric_grid
from spectrosim_search.spectra.readers import read


def main() -> None:
    """Print one line a method."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("methods", nargs="+")
    parser.add_argument("--splits", type=int, default=6)
    parser.add_argument("--axes", default="", help="numbers of principal axes to choose from, e.g. 10,20,60")
    parser.add_argument("--shrinkage", default="", help="shrinkages to choose from, e.g. .01,.1,.5")
    asked = parser.parse_args()
    if asked.axes:
        _metric_grid._AXES = tuple(int(k) for k in asked.axes.split(","))
    if asked.shrinkage:
        _metric_grid._SHRINKAGE = tuple(float(s) for s in asked.shrinkage.split(","))
    spectra = read(asked.file)
    splits = [held_out(spectra, seed) for seed in range(asked.splits)]
    found = {name: np.array([measure(data, name) for data in splits]) for name in asked.methods}
    print(f"{'method':32} AUC   matched   change of matched (standard error)   seconds")
    for name, table in found.items():
        change = table[:, 1] - found[asked.methods[0]][:, 1]
        error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else float("nan")
        auc, matched, seconds = table.mean(axis=0)
        print(f"{name:32} {auc:.3f}   {matched:.3f}   {change.mean():+.3f} ({error:.3f})   {seconds:.1f}")


if __name__ == "__main__":
    main()
