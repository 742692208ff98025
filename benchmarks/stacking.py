"""What does one processor core gain by training the folds of a seed as one stack?

    python -m benchmarks.stacking [--data spectra.csv.gz] [--batches 16 32] [--epochs 4] [--rounds 3]

Each encoder with its default settings trains three folds one after the other and then as one stack, one thread, in
turns; the shortest processor time of each counts. Beside the ratio stand what is counted of a step's forward pass
(milliseconds of the nominal core of :mod:`spectrosim_search.learning.workload`), whether a study trains folds together,
and whether curves and similarities are equal bit for bit. Without --data the simulated fish, 72 spectra of 2,080
channels.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from spectrosim_search.config.configuration import Configuration, Scalar
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import single_thread, train_stack
from spectrosim_search.learning.tasks import ReplicateResult, ReplicateTask, TrainingData
from spectrosim_search.learning.workload import BATCH, count_inference
from spectrosim_search.search.run import prepare_study
from spectrosim_search.search.space import build_configuration
from spectrosim_search.search.workbench import Workbench

ENCODERS: tuple[Mapping[str, Scalar], ...] = (
    {"type": "whitened"},
    {"type": "whitened", "branch": "mlp"},
    {"type": "vae"},
    {"type": "kan"},
    {"type": "transformer", "patch": 104, "width": 64, "depth": 1},
    {"type": "transformer"},
    {"type": "ensemble-transformer"},
    {"type": "moe-transformer"},
    {"type": "cnn"},
    {"type": "resnet"},
    {"type": "cnn-transformer"},
    {"type": "mamba"},
    {"type": "peak-graph"},
    {"type": "r-cnn"},
    {"type": "lstm"},
)


def timed(tasks: Sequence[ReplicateTask], data: Mapping[str, TrainingData]) -> tuple[float, list[ReplicateResult]]:
    """Processor seconds and results of one stack."""
    began = time.process_time()
    results = train_stack(tasks, data)
    return time.process_time() - began, results


def equal(a: ReplicateResult, b: ReplicateResult) -> bool:
    """Whether two results have the same bits."""
    pairs = [(a.curve, b.curve), *zip(a.similarities, b.similarities)]
    return all(bool((x == y).all()) for x, y in pairs)


def measure(bench: Workbench, configuration: Configuration, rounds: int) -> str:
    """A row of the table."""
    items = [bench.search_item(configuration, None, cell.index) for cell in bench.cells[:3]]
    tasks = [bench.task(item) for item in items]
    data = bench.data(items)
    timed(tasks[:1], data)  # warm-up
    alone, stacked, same = float("inf"), float("inf"), True
    for _ in range(rounds):
        ones = [timed([task], data) for task in tasks]
        together, results = timed(tasks, data)
        alone, stacked = min(alone, sum(seconds for seconds, _ in ones)), min(stacked, together)
        same = all(equal(one[0], result) for (_, one), result in zip(ones, results))
    spectra = bench.spectra
    counted = count_inference(configuration, spectra.intensities[:1], spectra.axis).milliseconds / BATCH
    forward = counted * 2 * configuration.training.batch_size
    named = ", ".join(f"{k} {v}" for k, v in configuration.encoder.parameters if k in ("branch", "width"))
    return (
        f"| {configuration.encoder.type}{f' ({named})' if named else ''} | {configuration.training.batch_size} | "
        f"{forward:.1f} | {alone / stacked:.2f} | {'yes' if bench.stacks(configuration) else 'no'} | "
        f"{'yes' if same else 'no'} |"
    )


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", default="")
    parser.add_argument("--batches", type=int, nargs="+", default=[16, 32])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    prepared = prepare_study("everything", **({"data": given.data} if given.data else {}))
    bench = Workbench(prepared.spectra, prepared.study)
    base = build_configuration(prepared.study, {})
    print("| encoder | batch | counted, ms | one after the other / stack of 3 | stacked | same bits |")
    print("|---|---|---|---|---|---|")
    with single_thread():
        for settings in ENCODERS:
            for batch in given.batches:
                training = replace(base.training, epochs=given.epochs, batch_size=batch)
                encoder = resolve("encoders", dict(settings))
                print(measure(bench, replace(base, encoder=encoder, training=training), given.rounds), flush=True)


if __name__ == "__main__":
    main()
