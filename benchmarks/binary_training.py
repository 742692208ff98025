"""How long the neural pair classifiers are trained: their scores and costs under other settings, on the same cells.

Each setting is EPOCHS/NEGATIVES/BATCH/RATE/WARMUP; 0 epochs are the starting values, which rank as the Euclidean
distance does. A cell is FOLD:SEED of the study `transformer`, on its embedded data or a file. Changes are paired with
the first setting, cell by cell and method by method; their standard error is that over cells, since methods of a cell
share its pairs. The last column counts this process alone::

    OMP_NUM_THREADS=1 python -m benchmarks.binary_training 30/4/32/.001/.3 10/1/16/.004/.1
    OMP_NUM_THREADS=1 python -m benchmarks.binary_training 0/1/16/.004/.1 10/1/16/.004/.1 --only binary-cnn
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import numpy as np

from spectrosim_search.baselines import _binary, every
from spectrosim_search.evaluation.verification import auc, matched_auc
from spectrosim_search.search.baseline_items import run_part
from spectrosim_search.search.run_baselines import prepare_baselines
from spectrosim_search.search.workbench import CONFIRMATION_SEED, Workbench


def measure(bench: Workbench, name: str, fold: int, seed: int) -> tuple[float, float, float]:
    """AUC and matched-label AUC, means over a cell's halves, and CPU seconds."""
    split = bench.split(fold, CONFIRMATION_SEED + seed)
    start = time.process_time()
    output = run_part(bench, name, split, split.halves, training_seed=CONFIRMATION_SEED + seed)
    seconds = time.process_time() - start
    scored = list(zip(split.halves, output.similarities, strict=True))
    matched = [matched_auc(s, half.positive, half.stratum).value for half, s in scored]
    return float(np.mean([auc(s, half.positive) for half, s in scored])), float(np.nanmean(matched)), seconds


def main() -> None:
    """Print one line a setting."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("settings", nargs="+", metavar="EPOCHS/NEGATIVES/BATCH/RATE/WARMUP")
    parser.add_argument("--file", default="", help="table of spectra (default: the study's embedded data)")
    parser.add_argument("--only", default=",".join(n for n in every() if n.startswith("binary-")))
    parser.add_argument("--cells", default="0:0,1:1,2:2,0:3,1:4", help="FOLD:SEED,...")
    asked = parser.parse_args()
    prepared = prepare_baselines("transformer", storage="", names=("cosine",), data=asked.file)
    bench = Workbench(prepared.spectra, prepared.study, searchable=False)
    names, cells = asked.only.split(","), [tuple(map(int, c.split(":"))) for c in asked.cells.split(",")]
    first = np.empty(0)
    print(
        f"{len(names)} methods x {len(cells)} cells\nsetting      AUC   matched  change of matched (error)  CPU s a fit"
    )
    for setting in asked.settings:
        epochs, negatives, batch, rate, warmup = setting.split("/")
        _binary.TRAINING = replace(
            _binary.TRAINING,
            epochs=int(epochs),
            negatives=float(negatives),
            batch_size=int(batch),
            most_batches=2_048 // int(batch),
            optimiser=replace(_binary.TRAINING.optimiser, learning_rate=float(rate), warmup=float(warmup)),
        )
        table = np.array([[measure(bench, name, *cell) for name in names] for cell in cells])  # (cells, names, 3)
        first = table if not first.size else first
        change = (table - first)[:, :, 1].mean(axis=1)
        error = change.std(ddof=1) / np.sqrt(len(change)) if len(change) > 1 else float("nan")
        area, matched, seconds = table.mean(axis=(0, 1))
        print(f"{setting:18} {area:.3f}  {matched:.3f}    {change.mean():+.3f} ({error:.3f})            {seconds:.2f}")


if __name__ == "__main__":
    main()
