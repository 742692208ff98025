"""Does training improve on the linear metric, and behind which head?

    python -m benchmarks.climbing --data spectra.csv.gz [--set preprocessing.intensity=snv …] [--shrinkage .001 .01 .1]

The whitened encoder on the search folds of the study `whitened`, one seed of halves: untrained (the linear metric
itself), then trained with the objective on the embedding (head identity) and behind a linear head and an MLP of its
own, the embedding being compared; each as a linear map alone and with a residual network and noise of one deviation
within groups.
Prints matched-label AUC and AUC over all pairs, means over folds.
"""

from __future__ import annotations

import argparse
import dataclasses

import numpy as np

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import single_thread, train_stack
from spectrosim_search.search.run import prepare_study
from spectrosim_search.search.space import build_configuration
from spectrosim_search.search.workbench import Workbench

HEADS = ("identity", "linear", "mlp")


def score(bench: Workbench, configuration: Configuration) -> str:
    """Matched-label AUC / AUC over all pairs, means over the folds of the first seed."""
    records = []
    for cell in (c for c in bench.cells if c.seed == 0):
        item = bench.search_item(configuration, None, cell.index)
        with single_thread():
            result = train_stack([bench.task(item)], bench.data([item]), precision="fp32")[0]
        records.append(bench.record(item, result, worker="", started_at=0.0, environment_id="").metrics)
    matched, plain = (np.array([r[m] for r in records], dtype=np.float64) for m in ("matched_auc", "auc"))
    known = matched[~np.isnan(matched)]
    return f"{known.mean() if known.size else float('nan'):.3f} / {plain.mean():.3f}"


def variant(base: Configuration, shrinkage: float, head: str, branch: str, epochs: int) -> Configuration:
    """The base with another head and branch."""
    noise = 1.0 if branch != "none" else 0.7
    given = dict(base.encoder.parameters) | {"shrinkage": shrinkage, "branch": branch, "noise": noise}
    return dataclasses.replace(
        base,
        encoder=resolve("encoders", {"type": "whitened", **given}),
        head=resolve("heads", {"type": head}),
        training=dataclasses.replace(base.training, epochs=epochs, similarity="encoder"),
    )


def main() -> None:
    """Print one block a shrinkage."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="preprocessing and other settings"
    )
    parser.add_argument("--components", type=int, default=60)
    parser.add_argument("--shrinkage", type=float, nargs="+", default=[0.001, 0.01, 0.1])
    parser.add_argument("--epochs", type=int, default=100)
    given = parser.parse_args()
    fixed = [f"encoder.components={given.components}", "training.epochs=0", *given.set]
    prepared = prepare_study("whitened", data=given.data, set_=fixed)
    bench = Workbench(prepared.spectra, prepared.study)
    values = dict(prepared.study.known_good[0]) if prepared.study.known_good else {}
    base = build_configuration(prepared.study, values)
    print(f"{prepared.spectra.name}: matched-label AUC / AUC over all pairs")
    for shrinkage in given.shrinkage:
        print(f"shrinkage {shrinkage:g}: not trained {score(bench, variant(base, shrinkage, 'linear', 'none', 0))}")
        for head in HEADS:
            alone = score(bench, variant(base, shrinkage, head, "none", given.epochs))
            joined = score(bench, variant(base, shrinkage, head, "mlp", given.epochs))
            print(f"  head {head:9} linear map {alone}   with a residual network {joined}", flush=True)


if __name__ == "__main__":
    main()
