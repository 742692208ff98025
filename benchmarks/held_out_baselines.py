"""Baselines on the groups that a study holds out: what its winner is judged against.

Fits on all searched groups and scores the held-out pairs once, as the confirmation of a search does::

    python -m benchmarks.held_out_baselines --data desi-swabs/spectra.csv.gz
"""

from __future__ import annotations

import argparse

from spectrosim_search.evaluation.statistics import jackknife
from spectrosim_search.search.baseline_items import BaselineItem, fit_baseline
from spectrosim_search.search.records import EVERY_SEED, HELD_OUT_FOLD
from spectrosim_search.search.run import prepare_study
from spectrosim_search.search.workbench import CONFIRMATION_SEED, Workbench


def main() -> None:
    """Print one line a baseline: matched-label AUC and AUC over all pairs with their intervals, settings."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--study", default="everything")
    parser.add_argument(
        "--baselines", nargs="+", default=["cosine", "cosine-tuned", "linear-metric", "linear-metric-tuned"]
    )
    asked = parser.parse_args()
    prepared = prepare_study(asked.study, data=asked.data)
    bench = Workbench(prepared.spectra, prepared.study)
    for name in asked.baselines:
        key = bench.baseline_key(name, HELD_OUT_FOLD, EVERY_SEED)
        item = BaselineItem(key, name, HELD_OUT_FOLD, EVERY_SEED, (CONFIRMATION_SEED,))
        fit = fit_baseline(bench, item, worker="", environment_id="")
        shown = []
        for metric in ("matched_auc", "auc"):
            e = jackknife([fit.pairs], bench.design.units, metric) if fit.pairs else None
            shown.append("n/a" if e is None else f"{e.value:.3f} [{e.low:.3f}, {e.high:.3f}]")
        print(prepared.spectra.name, name, *shown, fit.settings or fit.reason, sep="\t", flush=True)


if __name__ == "__main__":
    main()
