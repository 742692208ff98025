"""How should embeddings be compared: by cosine, distance, or a log likelihood ratio of same against different group,
on a sphere or not, and less the similarity with how many neighbours?

    python -m benchmarks.comparing --data spectra.csv.gz [--set preprocessing.intensity=snv …] [--splits 3] [--scratch]

Three models, each with every comparison on the same grouped folds: the whitened encoder as it is fitted (the linear
metric), the same trained as a linear map, and with --scratch a small Transformer. A model is trained once a fold:
training is the same for all comparisons, which come after it. Prints AUC over all pairs and matched-label
AUC out of fold, mean (standard deviation over splits of the groups and their training seeds); the baselines
linear metric and PLDA with the same preprocessing, axes and shrinkage stand below.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from spectrosim_search.baselines import BaselineInput, linear_metric, plda
from spectrosim_search.config.configuration import Component, Configuration
from spectrosim_search.evaluation import verification
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.learning.comparison import Comparison, compared_rows, pair_similarity
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import embed, single_thread, train_stack
from spectrosim_search.learning.fitting import training_groups
from spectrosim_search.learning.tasks import ReplicateTask, TrainingData
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.search.run import prepare_study
from spectrosim_search.search.space import build_configuration
from spectrosim_search.search.workbench import Workbench

AXES, SHRINKAGE = 60, 0.1  # of the whitened encoder and of the baselines
COMPARISONS = (  # kind, shrinkage (of the rounds too), rounds, neighbours
    ("cosine", 0.1, 0, 0),
    ("cosine", 0.1, 0, 1),
    ("cosine", 0.1, 0, 3),
    ("cosine", 0.1, 0, 8),
    ("cosine", 0.1, 2, 0),
    ("cosine", 0.1, 2, 3),
    ("euclidean", 0.1, 0, 0),
    ("plda", 0.1, 0, 0),
    ("plda", 0.5, 0, 0),
    ("plda", 0.5, 0, 3),
    ("plda", 1.0, 0, 0),
    ("plda", 0.1, 1, 0),
    ("plda", 0.1, 2, 0),
    ("plda", 0.5, 1, 0),
    ("plda", 0.5, 2, 0),
    ("plda", 0.5, 2, 3),
)
SCRATCH: Mapping[str, int | str] = {"type": "transformer", "width": 32, "depth": 2}
Scores = dict[str, list[tuple[float, float]]]


def models(base: Configuration, scratch: bool) -> Iterator[tuple[str, Configuration]]:
    """What is compared, by name."""
    still = dataclasses.replace(base.training, epochs=0, similarity="encoder")
    moving = dataclasses.replace(base.training, epochs=30, similarity="encoder")
    yield "whitened, fitted", dataclasses.replace(base, training=still)
    yield "whitened, 30 epochs", dataclasses.replace(base, training=moving)
    if scratch:
        rate = dataclasses.replace(base.optimiser, learning_rate=0.002)
        encoder: Component = resolve("encoders", dict(SCRATCH))
        yield "transformer, 30 epochs", dataclasses.replace(base, encoder=encoder, optimiser=rate, training=moving)


def compared(task: ReplicateTask, data: TrainingData) -> Iterator[tuple[str, list[NDArray[np.float32]]]]:
    """Similarities of both halves under every comparison, from one training: it is the same for all of them."""
    assert task.halves is not None
    alone = dataclasses.replace(task, halves=None, return_parameters=True)
    (result,) = train_stack([alone], {task.data: data}, precision="fp32")
    z = torch.from_numpy(embed(task.configuration, result.parameters, data.spectra, data.axis))
    for kind, shrinkage, rounds, neighbours in COMPARISONS:
        own = dataclasses.replace(
            task.configuration.training,
            comparison=kind,
            comparison_shrinkage=shrinkage,
            comparison_rounds=rounds,
            comparison_rounds_shrinkage=shrinkage,
            comparison_neighbours=neighbours,
        )
        rows = z
        if own.own_terms:
            configuration = dataclasses.replace(task.configuration, training=own)
            fitter = Comparison([configuration], [task.train], [training_groups(task, data)], z.device)
            rows = compared_rows(fitter.fit(z[None, task.train]), z[None], neighbours)[0]
        halves = [pair_similarity(rows[p.left], rows[p.right], own.own_terms) for p in task.halves]
        named = [kind, f"{shrinkage:g}"] if kind == "plda" else [kind]
        named += [f"after {rounds}"] if rounds else []
        named += [f"less {neighbours}"] if neighbours else []
        yield " ".join(named), [h.float().numpy() for h in halves]


def scored(halves: Sequence[PairSet], similarities: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """AUC over all pairs and matched-label AUC, means over the halves."""
    nan = float("nan")
    both = zip(halves, similarities)
    found = verification.metrics([PairScores(p.left, p.right, p.positive, p.stratum, s, nan) for p, s in both])
    return found["auc"], found["matched_auc"]


def judged(bench: Workbench, scratch: bool, base: Configuration, scores: Scores) -> None:
    """Add the scores of every model on every fold of a split."""
    for cell in (c for c in bench.cells if c.seed == 0):
        halves = bench.design.split(cell.fold, cell.seed).halves
        for name, configuration in models(base, scratch):
            item = bench.search_item(configuration, None, cell.index)
            task = bench.task(item)
            for kind, similarities in compared(task, bench.data([item])[task.data]):
                scores.setdefault(f"{name}, {kind}", []).append(scored(halves, similarities))
        split = bench.design.split(cell.fold, cell.seed)
        given = BaselineInput(
            bench.spectra, split.train, split.groups, bench.design.codes.labels, None, split.halves, seed=0
        )
        for name, baseline in (("linear metric", linear_metric), ("PLDA", plda)):
            output = baseline.with_settings(given, base.preprocessing, AXES, SHRINKAGE, "")
            scores.setdefault(f"baseline {name}", []).append(scored(split.halves, output.similarities))


def main() -> None:
    """Print one line a model and comparison."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="preprocessing and the like")
    parser.add_argument("--splits", type=int, default=3, help="splits of the groups into folds")
    parser.add_argument("--scratch", action="store_true", help="a Transformer from scratch too")
    given = parser.parse_args()
    scores: Scores = {}
    with single_thread():
        for split in range(given.splits):
            fixed = [f"encoder.components={AXES}", f"encoder.shrinkage={SHRINKAGE}", *given.set]
            fixed += ["protocol.scoring=corrected-cv", f"protocol.seed={split}", f"seed={split}"]
            prepared = prepare_study("whitened", data=given.data, set_=fixed)
            bench = Workbench(prepared.spectra, prepared.study)
            judged(bench, given.scratch, build_configuration(prepared.study, {}), scores)
    print(f"{prepared.spectra.name}: AUC over all pairs, matched-label AUC (standard deviation over splits)")
    for name, folds in scores.items():
        table = np.array(folds, dtype=np.float64).reshape(given.splits, -1, 2).mean(axis=1)
        shown = [f"{mean:.3f} ({spread:.3f})" for mean, spread in zip(table.mean(axis=0), table.std(axis=0, ddof=1))]
        print(f"  {name:36} {'  '.join(shown)}", flush=True)


if __name__ == "__main__":
    main()
