"""How much training a search spends until it holds what a plain study ends with: replay of a recorded table.

    python -m benchmarks.search_efficiency record --data FILE --table FILE.db --minutes 60 [--share 0/2]
    python -m benchmarks.search_efficiency replay --table FILE.db [FILE.db …] [--trials 60] [--sampler tpe]

`record` trains configurations drawn from a study's space on all cells; stop it and go on as you like. `replay` lets
methods draw from the complete ones. A plain study trains `--trials` configurations on all cells; what it spends is 1,
what its best is worth (mean over all cells) is the target. Shown: what each method spends until it holds a
configuration worth that much, median and quartiles over repetitions, and how often it got there before the table ended.
"""

from __future__ import annotations

import argparse
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import optuna

from benchmarks._proposing import Nearest
from benchmarks._replay import Draw, Method, Permutation, climb, halving, hyperband, plain, pruner, variants
from benchmarks._table import Table, cost, read, record
from spectrosim_search.search.run import prepare_study

__all__ = ["compare", "methods", "summary"]


def methods(table: Table, *, all_ladders: bool) -> dict[str, Method]:
    """Name → method; the ladder is the study's own."""
    own = table.study.ladder
    found: dict[str, Method] = {"plain (random search)": plain, "ladder": climb(own)}
    if all_ladders:
        found |= {name: climb(ladder) for name, ladder in variants(own).items()}
    optunas = optuna.pruners
    return found | {
        "successive halving": halving(),
        "Hyperband": hyperband(),
        "Optuna MedianPruner": pruner(lambda cells: optunas.MedianPruner()),
        "Optuna SuccessiveHalvingPruner": pruner(
            lambda cells: optunas.SuccessiveHalvingPruner(min_resource=1, reduction_factor=3)
        ),
        "Optuna HyperbandPruner": pruner(
            lambda cells: optunas.HyperbandPruner(min_resource=1, max_resource=cells, reduction_factor=3)
        ),
        "Optuna WilcoxonPruner": pruner(lambda cells: optunas.WilcoxonPruner(), each=True),
    }


def compare(
    table: Table, names: dict[str, Method], *, trials: int, repetitions: int, sampler: str = "random"
) -> dict[str, list[float]]:
    """For each method and repetition: what it spent until the target, as a share of the plain study's cost."""
    spent: dict[str, list[float]] = {name: [] for name in names}
    size = len(table.entries)
    for repetition in range(repetitions):

        def draw(seed: int = repetition) -> Draw:
            return Nearest(table, seed) if sampler == "tpe" else Permutation.seeded(size, seed)

        study = plain(table, draw(), trials)
        target = study.steps[-1][1]
        for name, method in names.items():
            spent[name].append(method(table, draw(), size, target).until(target) / study.spent)
    return spent


def summary(shares: list[float]) -> tuple[float, float, float, float]:
    """Median, quartiles (infinity where so many never got there) and the share that got there."""
    ranked = sorted(shares)
    low, middle, high = (ranked[min(len(ranked) - 1, math.ceil(q * len(ranked)) - 1)] for q in (0.25, 0.5, 0.75))
    return middle, low, high, float(np.mean(np.isfinite(ranked)))


def _replay(asked: argparse.Namespace) -> None:
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for path in asked.table:
        table = read(path)
        if asked.first:
            table = replace(table, entries=table.entries[: asked.first])
        size = len(table.entries)
        trials = min(asked.trials, size)
        print(f"\n{path.name}: {size} configurations x {table.cells} cells, {cost(table):,} replicate-epochs recorded")
        print(f"plain study of {trials} trials, sampler {asked.sampler}, {asked.repetitions} repetitions")
        print(f"{'method':34} {'median':>7} {'quartiles':>15} {'got there':>10}")
        names = methods(table, all_ladders=asked.ladders)
        found = compare(table, names, trials=trials, repetitions=asked.repetitions, sampler=asked.sampler)
        for name, shares in found.items():
            middle, low, high, reached = summary(shares)
            print(f"{name:34} {middle:7.3f} {f'{low:.3f} - {high:.3f}':>15} {reached:10.0%}", flush=True)


def _record(asked: argparse.Namespace) -> None:
    from spectrosim_search.search.workers.trainer import Trainer

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    prepared = prepare_study(asked.study, data=asked.data, set_=asked.set, vary=asked.vary)
    trainer = Trainer(prepared.spectra, prepared.study, worker="recorder")
    first, every = (int(part) for part in asked.share.split("/"))
    count = record(
        asked.table,
        prepared.study,
        trainer,
        configurations=asked.configurations,
        minutes=asked.minutes,
        share=(first, every),
    )
    print(f"{count} complete configurations in {asked.table}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("record", help="record a table, or go on with it")
    one.add_argument("--data", default="", help="file of spectra; none: the embedded simulator")
    one.add_argument("--study", default="transformer", help="study whose space and protocol are taken")
    one.add_argument("--set", action="append", default=[], help="as for `spectrosim-search run`")
    one.add_argument("--vary", action="append", default=[], help="as for `spectrosim-search run`")
    one.add_argument("--table", type=Path, required=True, help="SQLite file the recording grows in")
    one.add_argument("--configurations", type=int, default=300)
    one.add_argument("--minutes", type=float, default=60.0, help="end after this time; the same command goes on")
    one.add_argument("--share", default="0/1", help="i/n: record every n-th configuration from the i-th on")
    one.set_defaults(run=_record)
    two = commands.add_parser("replay", help="let methods search recorded tables")
    two.add_argument("--table", type=Path, nargs="+", required=True)
    two.add_argument("--trials", type=int, default=60, help="of the plain study")
    two.add_argument("--repetitions", type=int, default=200)
    two.add_argument("--sampler", choices=("random", "tpe"), default="random")
    two.add_argument("--ladders", action="store_true", help="other ladders as well")
    two.add_argument("--first", type=int, default=0, help="use only the first configurations of the table")
    two.set_defaults(run=_replay)
    asked = parser.parse_args()
    asked.run(asked)


if __name__ == "__main__":
    main()
