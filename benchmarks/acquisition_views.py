"""What views as other acquisitions are worth to a contrastive network that names compounds.

Five folds stratified by compound, near-duplicates of a compound on one side, two (or other) training spectra a
compound; SupCon on two views of each spectrum and on spectra of one compound, nearest class centre. Only the
augmentation differs, each at the strength and setting it has by default and at probability 1. ``acquisition`` measures
its spreads on the training pairs of the fold alone (``prior`` 0); the defaults of its prior were chosen on
massbank-ei-a. The unit of test is the compound. Goes on with its file where it stopped::

    python -m benchmarks.acquisition_views --data peaks.csv.gz --out views.jsonl
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks._acquisition_choice import capped, dealt
from benchmarks.synthesis import FOLDS, interval
from spectrosim_search.config.configuration import Component, Configuration
from spectrosim_search.search.documents.configurations import configuration_from_mapping
from spectrosim_search.search.programs import identify
from spectrosim_search.search.programs._contract import ProgramTask
from spectrosim_search.spectra.near_duplicates import near_duplicate_blocks
from spectrosim_search.spectra.preprocessing import fit as fit_preprocessing
from spectrosim_search.spectra.readers import read

BASE: dict[str, Any] = {
    "preprocessing": {"intensity": "sqrt", "scale": "none"},
    "encoder": {"type": "stepped"},
    "head": {"type": "identity"},
    "objective": {"type": "supcon", "temperature": 0.1},
    "positives": {"source": "both"},
    "optimiser": {"learning_rate": 1e-3, "weight_decay": 0.01},
    "training": {"batch_size": 64, "epochs": 60},
}
VIEWS: dict[str, dict[str, Any]] = {
    "no augmentation": {},
    "shot-noise": {"shot-noise": {"probability": 1.0}},
    "peak-dropout": {"peak-dropout": {"probability": 1.0, "window": 1, "fill": "zero"}},
    "within-group": {"within-group": {"probability": 1.0}},
    "acquisition": {"acquisition": {"probability": 1.0, "prior": 0.0}},
}


def configuration(views: str) -> Configuration:
    base = configuration_from_mapping({**BASE, "augmentations": VIEWS[views]})
    return dataclasses.replace(base, program=Component.of("identify"))


def run(path: str, out: Path, cap: int, repetitions: int) -> None:
    spectra = read(path)
    groups = np.unique(spectra.groups, return_inverse=True)[1]
    names = tuple(str(c) for c in range(int(groups.max()) + 1))
    blocks = near_duplicate_blocks(spectra)
    state = fit_preprocessing(configuration("no augmentation").preprocessing, spectra.intensities)  # fits nothing
    x, axis = state.transform(spectra.intensities), state.axis(spectra.axis)
    done = {json.loads(line)["key"] for line in out.read_text().splitlines()} if out.exists() else set()
    for repetition in range(repetitions):
        fold = dealt(groups, blocks, FOLDS, repetition)
        for held in range(FOLDS):
            train = capped(np.flatnonzero(fold != held), groups, cap, 100 * repetition + held)
            judged = np.flatnonzero((fold == held) & np.isin(groups, groups[train]))
            hidden = np.full(groups.size, -1)
            hidden[train] = groups[train]
            for views in VIEWS:
                key = f"{cap}/{repetition}/{held}/{views}"
                if key in done:
                    continue
                task = ProgramTask(
                    key, configuration(views), 10 * repetition + held, x, axis, hidden, names, train, judged
                )
                right = identify.run(task).predicted == groups[judged]
                record = {
                    "key": key, "cap": cap, "views": views,
                    "right": np.bincount(groups[judged], right, len(names)).astype(int).tolist(),
                    "judged": np.bincount(groups[judged], minlength=len(names)).tolist(),
                }  # fmt: skip
                with out.open("a") as stream:
                    stream.write(json.dumps(record) + "\n")


def table(out: Path) -> None:
    """Print accuracy, mean over compounds, and differences to no augmentation and to peak dropout."""
    records = [json.loads(line) for line in out.read_text().splitlines()]
    for cap in sorted({r["cap"] for r in records}):
        parts = {
            v: {r["key"].rsplit("/", 1)[0]: r for r in records if (r["cap"], r["views"]) == (cap, v)} for v in VIEWS
        }
        places = set.intersection(*(set(p) for p in parts.values()))
        share: dict[str, NDArray[np.float64]] = {}
        for views, own in parts.items():
            right, judged = (np.sum([own[p][n] for p in places], axis=0) for n in ("right", "judged"))
            share[views] = np.where(judged > 0, right / np.maximum(judged, 1), np.nan)
        print(f"\n{cap} training spectra a compound, {len(places)} folds")
        print("| views | accuracy | minus no augmentation | minus peak-dropout |\n|---|---|---|---|")
        for views, own_share in share.items():
            against = [
                interval(own_share - share[o]) if o != views else "" for o in ("no augmentation", "peak-dropout")
            ]
            print(f"| {views} | {100 * np.nanmean(own_share):.1f} | {' | '.join(against)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", default="")
    parser.add_argument("--out", type=Path, default=Path("views.jsonl"))
    parser.add_argument("--cap", type=int, default=2, help="training spectra a compound, 0: all")
    parser.add_argument("--repetitions", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    if arguments.data:
        run(arguments.data, arguments.out, arguments.cap, arguments.repetitions)
    table(arguments.out)


if __name__ == "__main__":
    main()
