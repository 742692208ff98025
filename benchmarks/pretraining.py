"""Classification with pretraining on real sets: accuracy and macro F1 under plain and group-disjoint 5-fold folds.

Every finished cross-validation is a line of the file given by ``--out``; the same command goes on where it stopped::

    OMP_NUM_THREADS=1 python -m benchmarks.pretraining main --data FOLDER --out runs/pretraining.jsonl
    python -m benchmarks.pretraining table --out runs/pretraining.jsonl

``main``: the pretext, a contrastive objective, no pretraining and the baselines on all sets; ``fractions``: with 5 to
50 % of the labels, the same labelled spectra for everyone; ``branch``: networks with the linear branch; ``raw``: with
spectra that are not scaled; ``ablations``: single transformations, block depth, what fine-tuning changes. Folds are
dealt anew for every seed. ``plain`` cuts through groups, as the paper does: where there are groups, that leaks, and it
is marked so. Networks have one fixed configuration; baselines choose their preprocessing and settings on inner folds.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from spectrosim_search.baselines.classifiers import ClassInput
from spectrosim_search.baselines.classifiers._linear import AXES, SHRINKAGE, discriminant
from spectrosim_search.config.configuration import Component, Configuration, Scalar
from spectrosim_search.config.registry import names
from spectrosim_search.evaluation.class_statistics import class_metrics
from spectrosim_search.evaluation.scores import ClassScores
from spectrosim_search.protocol.batch_disjoint import masked
from spectrosim_search.protocol.label_share import labelled_rows
from spectrosim_search.search.documents.configurations import configuration_from_mapping
from spectrosim_search.search.programs import pretrain
from spectrosim_search.search.programs._contract import ProgramTask
from spectrosim_search.spectra.preprocessing import fit
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet

SETS = (
    "nir-tablets",
    "nir (simulated)",
    "ftir-coffee",
    "ucr-beef",
    "ucr-meat",
    "ucr-ham",
    "ucr-wine",
    "ucr-strawberry",
    "fiems-brachypodium-pos",
    "fiems-brachypodium-neg",
)
FOLDS = 5
FRACTIONS = (0.05, 0.1, 0.2, 0.5)
_STEPS = 320
KINDS = ("noise", "offset", "multiplication", "horizontal_flip", "vertical_flip", "permutation")
# the network reads behind block 3, as the paper's
PROGRAM: dict[str, Scalar] = {"features": 3}
RAW, BRANCH = "raw, ", " + discriminant"  # before and after a variant's name: unscaled spectra, the linear branch
ALONE = "discriminant alone"  # the linear branch without a network
VARIANTS: dict[str, dict[str, Scalar]] = {
    "transformations": {"pretext": "transformations"},
    "contrastive (nt-xent)": {"pretext": "contrastive"},
    "no pretraining": {"pretext": "none"},
    **{f"only {kind.replace('_', ' ')}": {k: k == kind for k in KINDS} for kind in KINDS},
    "features of block 1": {"features": 1},
    "features of block 2": {"features": 2},
    "embedding": {"features": 0},
    "fine-tune last block": {"trainable": "last-block"},
    "fine-tune classifier only": {"trainable": "head"},
    "no pretraining, classifier only": {"pretext": "none", "trainable": "head"},
    "transductive": {"transductive": True},
}


def variant(method: str) -> dict[str, Scalar] | None:
    """Settings of a network's program by its name; None for a baseline."""
    name = method.removeprefix(RAW).removesuffix(BRANCH)
    if name not in VARIANTS:
        return None
    return {**VARIANTS[name], "branch": "discriminant" if method.endswith(BRANCH) else "none"}


def configuration(intensity: str, binning: int, count: int, program: Mapping[str, Scalar]) -> Configuration:
    """The fixed configuration of the networks for `count` training spectra.

    320 steps of pretraining and as many of fine-tuning, or 20 and 40 epochs where those are more.
    """
    batch = 32
    pretraining, tuning = (
        max(least, -(-_STEPS // -(-shown // batch))) for least, shown in ((20, 2 * count), (40, count))
    )
    base = configuration_from_mapping(
        {
            "preprocessing": {
                "intensity": intensity,
                "scale": "standard",
                "binning": binning,
            },
            "encoder": {"type": "block-cnn"},
            "head": {"type": "mlp"},
            "objective": {"type": "nt-xent"},
            "augmentations": {"jitter": {}, "scale": {}, "baseline-drift": {}},
            "positives": {"source": "views"},
            "optimiser": {"learning_rate": 0.002},
            "training": {"epochs": pretraining, "batch_size": batch, "precision": "fp32"},
        }
    )
    return dataclasses.replace(base, program=Component.of("pretrain", **{**PROGRAM, "epochs": tuning, **program}))


def folds(spectra: SpectraSet, plain: bool, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Training and judged rows of five stratified folds."""
    if plain:
        yield from StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(spectra.labels, spectra.labels)
    else:
        dealt = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=seed)
        yield from dealt.split(spectra.labels, spectra.labels, spectra.groups)


def measure(spectra: SpectraSet, method: str, plain: bool, seed: int, fraction: float) -> dict[str, float]:
    """One cross-validation: scores over all judged spectra, and what the network told of its pretext."""
    class_names, truth = np.unique(spectra.labels, return_inverse=True)
    truth = truth.astype(np.int64)
    groups = np.arange(len(spectra)) if plain else np.unique(spectra.groups, return_inverse=True)[1]
    masses = bool((np.diff(spectra.axis) == 1).all() and spectra.axis[0] >= 1)  # bins of nominal m/z; positions from 0
    program = variant(method)
    config = configuration(
        "none" if method.startswith(RAW) else "sqrt" if masses else "snv",
        1 + spectra.axis.size // 300,
        len(spectra) * (FOLDS - 1) // FOLDS,
        program or {},
    )
    parts: list[ClassScores] = []
    told: dict[str, list[float]] = defaultdict(list)
    began = time.process_time()
    for number, (train, judged) in enumerate(folds(spectra, plain, seed)):
        known = labelled_rows(truth, train, fraction, study_seed=seed, fold=number, seed=0)
        classes = masked(truth, known)
        if program is not None or method.endswith(ALONE):
            state = fit(config.preprocessing, spectra.intensities[train])
            x, axis = state.transform(spectra.intensities), state.axis(spectra.axis)
            task = ProgramTask("cell", config, seed * 100 + number, x, axis, classes, tuple(class_names), train, judged)
            if program is None:
                weights, offsets = discriminant(x[known].astype(np.float64), truth[known], AXES, SHRINKAGE)
                logits = x[judged] @ weights + offsets
                predicted, confidence = logits.argmax(axis=1).astype(np.int64), logits.max(axis=1).astype(np.float32)
            else:
                result = pretrain.run(task)
                predicted, confidence = result.predicted, result.confidence
                for name, value in result.metrics.items():
                    told[name].append(value)
        else:
            blocks = np.where(classes < 0, -1, groups).astype(np.int64)
            given = ClassInput(spectra, known, judged, classes, blocks, tuple(class_names), seed, seed * 100 + number)
            output = pretrain.baseline(method, given, config)
            predicted, confidence = output.predicted, output.confidence
        parts.append(ClassScores(judged, truth[judged], predicted, confidence))
    joined = ClassScores(
        np.concatenate([p.rows for p in parts]),
        np.concatenate([p.truth for p in parts]),
        np.concatenate([p.predicted for p in parts]),
        np.concatenate([p.confidence for p in parts]),
    )
    seconds = (time.process_time() - began) / FOLDS
    scores = {**class_metrics([joined]), "seconds": seconds}
    return scores | {name: float(np.mean(values)) for name, values in told.items()}


def load(name: str, data: Path) -> SpectraSet:
    """A folder's spectra, or simulated ones."""
    return simulate("nir") if name == "nir (simulated)" else read(data / name / "spectra.csv.gz")


def jobs(part: str, sets: list[str], seeds: int) -> Iterator[tuple[str, str, bool, int, float]]:
    """Set, method, whether folds are plain, seed and label fraction of everything a part measures."""
    rows = [n for n in names("baselines.classifiers") if not n.startswith("nearest")]
    networks = ["no pretraining", "transformations", "contrastive (nt-xent)"]
    shown = {
        "main": [*rows, *networks],
        "fractions": ["lda", "elm", "svm", ALONE, RAW + ALONE, *networks, RAW + networks[0]],
        "branch": [ALONE, *(n + BRANCH for n in networks[:2])],
        "raw": [RAW + ALONE, *(RAW + n + end for n in networks[:2] for end in ("", BRANCH))],
        "ablations": [v for v in VARIANTS if v not in networks],
    }[part]
    for seed in range(seeds):
        for name in sets:
            grouped = name in ("nir-tablets", "nir (simulated)")
            for plain in (False, True) if grouped and part == "main" else (not grouped,):
                for fraction in FRACTIONS if part == "fractions" else (1.0,):
                    for method in shown:
                        yield name, method, plain, seed, fraction


def table(lines: list[dict[str, float | str | bool]]) -> str:
    """Mean and spread over seeds, one line a set, kind of folds and label fraction."""
    cells: dict[tuple[str, str, float], dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    scores: dict[tuple[str, str, float, str], list[float]] = defaultdict(list)
    for line in lines:
        kind = "plain" if line["plain"] else "groups disjoint"
        key = (str(line["set"]), kind, float(line["fraction"]))
        method = str(line["method"])
        cells[key][method].append(float(line["accuracy"]))
        scores[(*key, method)].append(float(line["macro_f1"]))
    out = []
    for key, methods in cells.items():
        out.append(f"{key[0]}, folds {key[1]}, {key[2]:.0%} of the labels")
        for method, values in sorted(methods.items(), key=lambda item: -float(np.mean(item[1]))):
            spread = f" ± {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
            f1 = float(np.mean(scores[(*key, method)]))
            out.append(f"  {method:32} {np.mean(values):.3f}{spread}  F1 {f1:.3f}  ({len(values)} seeds)")
    return "\n".join(out)


def main() -> None:
    """Measure what is missing, or print what there is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["main", "fractions", "branch", "raw", "ablations", "table"])
    parser.add_argument("--data", type=Path, help="folder of the sets, each with a spectra.csv.gz")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--methods", default="", help="only these, by their names, with ; between; default: all")
    asked = parser.parse_args()
    lines = [json.loads(line) for line in asked.out.read_text().splitlines()] if asked.out.exists() else []
    if asked.part == "table":
        print(table(lines))
        return
    if asked.data is None:
        parser.error("--data is needed to measure")
    asked_of = ("set", "method", "plain", "seed", "fraction")
    done = {tuple(line[name] for name in asked_of) for line in lines}
    asked.out.parent.mkdir(parents=True, exist_ok=True)
    only = asked.methods.split(";") if asked.methods else []
    for job in jobs(asked.part, asked.sets.split(","), asked.seeds):
        if job in done or (only and job[1] not in only):
            continue
        found = measure(load(job[0], asked.data), *job[1:])
        line = {**dict(zip(asked_of, job, strict=True)), **found}
        with asked.out.open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
