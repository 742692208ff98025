"""What synthetic spectra are worth: accuracy of a classifier on real spectra alone, with rivals' and generated ones.

Repeated cross-validation stratified by compound, near-duplicates of a compound on one side; the generator with
everything it learns is fitted on each training part. With 1, 2, 3 and all training spectra of a compound. The unit of
test is the compound: differences of two methods are averaged over repetitions in each compound, then compared by t
over compounds. Goes on with its file where it stopped::

    python -m benchmarks.synthesis run  --data spectra.csv.gz --out worth.jsonl --repetitions 5
    python -m benchmarks.synthesis table --out worth.jsonl

``unseen`` decodes compounds without any training spectrum from their vectors (a table of the user's: an embedding,
formulas, SMILES), compounds held out in five parts, beside two rivals: the mean spectrum of the training compound whose
vector is nearest, and the mean training spectrum::

    python -m benchmarks.synthesis unseen --data spectra.csv.gz --vectors extra.csv
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import t as student

from spectrosim_search.baselines.generators import GeneratorInput
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Component, Configuration
from spectrosim_search.evaluation.generation import generation_metrics
from spectrosim_search.evaluation.worth import fit_classifier, scores
from spectrosim_search.search.documents.configurations import configuration_from_mapping
from spectrosim_search.search.programs import synthesis
from spectrosim_search.search.programs._contract import ProgramTask
from spectrosim_search.spectra.class_vectors import read_class_vectors
from spectrosim_search.spectra.near_duplicates import near_duplicate_blocks
from spectrosim_search.spectra.preprocessing import fit as fit_preprocessing
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.spectra_set import SpectraSet

FOLDS = 5
BASE = {
    "preprocessing": {"intensity": "sqrt", "scale": "none"},
    "encoder": {"type": "stepped"},
    "optimiser": {"learning_rate": 2e-3},
    "training": {"epochs": 40, "batch_size": 32},
}
STILL = {"tilt": 0.0, "power": 0.0, "noise": 0.0, "transfer": 0.0}
OURS: dict[str, dict[str, Any]] = {
    "acquisitions": {"blend": 0.0},
    "acquisitions as expected": {"blend": 0.0, "prior": 1e6},
    "acquisitions and decoder": {"blend": 0.2},
    "decoder alone": {"blend": 1.0, **STILL},
}
RIVALS = ("none", "duplicates", "noise", "peak-removal", "class-mean", "mixup", "vae")


def configuration(**program: Any) -> Configuration:
    return dataclasses.replace(configuration_from_mapping(BASE), program=Component.of("synthesis", **program))


def folds(groups: NDArray[np.int64], blocks: NDArray[np.int64], repetition: int) -> NDArray[np.int64]:
    """Deal the blocks of every group to the folds in turn, from a random fold on."""
    random = np.random.default_rng(repetition)
    out = np.empty(groups.size, np.int64)
    for group in np.unique(groups):
        start = random.integers(FOLDS)
        for place, block in enumerate(random.permutation(np.unique(blocks[groups == group]))):
            out[blocks == block] = (start + place) % FOLDS
    return out


def capped(rows: NDArray[np.int64], groups: NDArray[np.int64], most: int, seed: int) -> NDArray[np.int64]:
    random = np.random.default_rng([seed, most])
    return np.sort(
        np.concatenate([random.permutation(rows[groups[rows] == g])[: most or None] for g in np.unique(groups[rows])])
    )


def made_by(
    method: str,
    x: NDArray[np.float32],
    axis: NDArray[np.float64],
    classes: NDArray[np.int64],
    train: NDArray[np.int64],
    judged: NDArray[np.int64],
    seed: int,
    amount: int,
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    names = tuple(str(c) for c in range(int(classes.max()) + 1))
    if method in OURS:
        hidden = np.full(classes.size, -1)
        hidden[train] = classes[train]
        task = ProgramTask(
            "benchmark", configuration(amount=amount, **OURS[method]), seed, x, axis, hidden, names, train, judged
        )
        made = synthesis.synthesise(task)
        return made.spectra, made.classes
    given = GeneratorInput(x[train], classes[train], axis, amount, seed, configuration(amount=amount))
    other = registry.load("baselines.generators", method).generate(given)
    return other.spectra, other.classes


def run(spectra: SpectraSet, out: Path, methods: list[str], arguments: argparse.Namespace) -> None:
    groups = np.unique(spectra.groups, return_inverse=True)[1]
    blocks = near_duplicate_blocks(spectra)
    state = fit_preprocessing(configuration().preprocessing, spectra.intensities)  # fits nothing: root of the share
    x, axis = state.transform(spectra.intensities), state.axis(spectra.axis)
    plain = x.astype(np.float64) ** 2
    done = {json.loads(line)["key"] for line in out.read_text().splitlines()} if out.exists() else set()

    for repetition in range(arguments.repetitions):
        fold = folds(groups, blocks, repetition)
        for cap in (int(c) for c in arguments.caps.split(",")):
            for held in range(FOLDS):
                train = capped(np.flatnonzero(fold != held), groups, cap, 100 * repetition + held)
                judged = np.flatnonzero((fold == held) & np.isin(groups, groups[train]))
                for method in methods:
                    key = f"{arguments.classifier}/{arguments.amount}/{cap}/{repetition}/{held}/{method}"
                    if key in done:
                        continue
                    began, seed = time.perf_counter(), 10 * repetition + held
                    made, own = made_by(method, x, axis, groups, train, judged, seed, arguments.amount)
                    spent = time.perf_counter() - began
                    count = int(groups.max()) + 1
                    found = {}
                    for use in ("both", "synthetic") if own.size else ("both",):
                        parts = (x[train], made) if use == "both" else (made,)
                        codes = (groups[train], own) if use == "both" else (own,)
                        model = fit_classifier(
                            arguments.classifier, np.concatenate(parts), np.concatenate(codes), count, seed
                        )
                        right = scores(model, x[judged]).argmax(axis=1) == groups[judged]
                        found[use] = np.bincount(groups[judged], right, count).astype(int).tolist()
                    record = {
                        "key": key, "cap": cap, "repetition": repetition, "method": method, "amount": arguments.amount,
                        "classifier": arguments.classifier, "right": found, "seconds": round(spent, 2),
                        "judged": np.bincount(groups[judged], minlength=count).tolist(),
                        "metrics": generation_metrics(
                            made.astype(np.float64) ** 2, own, plain[train], groups[train], axis, plain[judged],
                            groups[judged],
                        ),
                    }  # fmt: skip
                    with out.open("a") as stream:
                        stream.write(json.dumps(record) + "\n")


def rates(records: list[dict[str, Any]], use: str) -> NDArray[np.float64]:
    """Share of right answers of every compound, over all folds and repetitions given."""
    right = np.sum([r["right"][use] for r in records], axis=0)
    judged = np.sum([r["judged"] for r in records], axis=0)
    return np.where(judged > 0, right / np.maximum(judged, 1), np.nan)


def interval(difference: NDArray[np.float64]) -> str:
    values = difference[~np.isnan(difference)]
    reach = student.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
    return f"{100 * values.mean():+.1f} [{100 * (values.mean() - reach):+.1f}, {100 * (values.mean() + reach):+.1f}]"


def table(out: Path, methods: list[str]) -> None:
    records = [json.loads(line) for line in out.read_text().splitlines()]
    questions = sorted({(r["classifier"], r["amount"], r["cap"] or 99) for r in records})
    for classifier, amount, cap in questions:
        own = [r for r in records if (r["classifier"], r["amount"], r["cap"] or 99) == (classifier, amount, cap)]
        by = {m: [r for r in own if r["method"] == m] for m in [*RIVALS, *OURS]}
        by = {m: rows for m, rows in by.items() if rows and m in methods}
        places = set.intersection(*({(r["repetition"], r["key"].split("/")[4]) for r in rows} for rows in by.values()))
        by = {m: [r for r in rows if (r["repetition"], r["key"].split("/")[4]) in places] for m, rows in by.items()}
        share = {m: rates(rows, "both") for m, rows in by.items()}
        best = max((m for m in by if m in RIVALS), key=lambda m: float(np.nanmean(share[m])))
        shown = "all" if cap == 99 else str(cap)
        print(f"\n{classifier}, {shown} training spectra a compound, {amount} made of each, {len(places)} folds")
        print(f"| | real + made | made only | minus {best} | cosine | ratio > .9 | library | novelty | distinct |")
        print("|---|---|---|---|---|---|---|---|---|")
        for method, rows in by.items():
            only = f"{100 * np.nanmean(rates(rows, 'synthetic')):.1f}" if "synthetic" in rows[0]["right"] else ""
            names = ("weighted_cosine", "similarity_ratio_above_.9", "library_match", "novelty", "distinct")
            cells = [f"{np.mean([r['metrics'][n] for r in rows]):.3f}" if rows[0]["metrics"] else "" for n in names]
            against = "" if method == best else interval(share[method] - share[best])
            print(f"| {method} | {100 * np.nanmean(share[method]):.1f} | {only} | {against} | {' | '.join(cells)} |")


def unseen(spectra: SpectraSet, vectors: NDArray[np.float32], groups: NDArray[np.int64], epochs: int) -> None:
    """Print weighted cosine and library match of spectra made for compounds that have none in training."""
    settings = configuration(vectors="given", amount=1, blend=1.0, jitter=0.0, prior=1e6, **STILL)
    settings = dataclasses.replace(settings, training=dataclasses.replace(settings.training, epochs=epochs))
    x = fit_preprocessing(settings.preprocessing, spectra.intensities).transform(spectra.intensities)
    plain, axis = x.astype(np.float64) ** 2, spectra.axis
    part = np.random.default_rng(0).permutation(vectors.shape[0]) % FOLDS
    names = tuple(str(c) for c in range(vectors.shape[0]))
    found: dict[str, list[dict[str, float]]] = {}
    for held in range(FOLDS):
        train, judged = np.flatnonzero(part[groups] != held), np.flatnonzero(part[groups] == held)
        classes = np.where(part[groups] != held, groups, -1)
        task = ProgramTask("unseen", settings, held, x, axis, classes, names, train, judged, {"vectors": vectors})
        made = synthesis.synthesise(task)
        codes, known = np.flatnonzero(part == held), np.flatnonzero(part != held)
        nearest = known[((vectors[codes][:, None] - vectors[known][None]) ** 2).sum(axis=2).argmin(axis=1)]
        ways = {
            "decoded from the vector": [
                synthesis.generate(settings, made.parameters, int(c), 1, 0, axis) for c in codes
            ],
            "nearest training compound": [plain[groups == c].mean(axis=0)[None] for c in nearest],
            "mean training spectrum": [plain[train].mean(axis=0)[None] for _ in codes],
        }
        for way, rows in ways.items():
            measured = generation_metrics(
                np.concatenate(rows), codes, plain[train], groups[train], axis, plain[judged], groups[judged]
            )
            found.setdefault(way, []).append(measured)
    print("| | cosine | ratio > .9 | library match | novelty |\n|---|---|---|---|---|")
    for way, rows in found.items():
        cells = ("weighted_cosine", "similarity_ratio_above_.9", "library_match", "novelty")
        print(f"| {way} | {' | '.join(f'{np.mean([r[c] for r in rows]):.3f}' for c in cells)} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["run", "table", "unseen"])
    parser.add_argument("--data", default="")
    parser.add_argument("--out", type=Path, default=Path("worth.jsonl"))
    parser.add_argument("--vectors", default="")
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--caps", default="1,2,3,0")
    parser.add_argument("--amount", type=int, default=4)
    parser.add_argument("--methods", default="")
    parser.add_argument("--classifier", default="random-forest")
    arguments = parser.parse_args()
    methods = arguments.methods.split(",") if arguments.methods else [*RIVALS, *OURS]
    torch.set_num_threads(1)
    if arguments.what == "unseen":
        spectra = read(arguments.data)
        compounds, groups = np.unique(spectra.groups, return_inverse=True)
        unseen(spectra, read_class_vectors(arguments.vectors, compounds.tolist()), groups, arguments.epochs)
        return
    if arguments.what == "run":
        run(read(arguments.data), arguments.out, methods, arguments)
    table(arguments.out, methods)


if __name__ == "__main__":
    main()
