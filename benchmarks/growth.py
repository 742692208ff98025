"""How the time of each stage grows with spectra, channels and trials.

    python -m benchmarks.growth spectra [--sizes 72 500 5000 50000] [--channels 400]
    python -m benchmarks.growth channels [--sizes 400 2000 20000]
    python -m benchmarks.growth trials [--sizes 10 100 1000 10000] [--database FILE]

Processor seconds of each stage (the epoch and its validation by the clock) and, last, the exponent: slope of log time
on log size between the two largest sizes (1 is linear; below, something constant prevails). Stages under a millisecond
give none.
"""

from __future__ import annotations

import argparse
import logging
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import numpy as np
import optuna

from benchmarks._driving import ENVIRONMENT, bench_for, fill
from benchmarks.driver_costs import trials_in
from spectrosim_search.config.study import Protocol, Study
from spectrosim_search.evaluation.statistics import jackknife
from spectrosim_search.learning.engine import single_thread, train_stack
from spectrosim_search.protocol.design import make_design
from spectrosim_search.protocol.leakage import audit
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.plan import first_configuration
from spectrosim_search.search.run import read_study
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.inspect import inspect
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.spectra_set import SpectraSet
from spectrosim_search.spectra.writers import write

__all__ = ["Stages", "exponent", "made_up_spectra", "stages_of_spectra", "stages_of_trials"]

T = TypeVar("T")
LEAST = 1e-3  # seconds below which no exponent is given
GROUP = 5  # spectra a group


class Stages:
    """Processor seconds by stage."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def time(self, stage: str, work: Callable[[], T]) -> T:
        """Run one stage and note its time."""
        began = time.process_time()
        found = work()
        self.seconds[stage] = time.process_time() - began
        return found


def exponent(sizes: Sequence[int], seconds: Sequence[float]) -> float:
    """Slope of log time on log size between the two largest sizes; NaN where there is nothing to tell from."""
    if len(sizes) < 2 or seconds[-1] < LEAST or seconds[-2] <= 0:
        return math.nan
    return math.log(seconds[-1] / seconds[-2]) / math.log(sizes[-1] / sizes[-2])


def made_up_spectra(count: int, channels: int, seed: int = 0) -> SpectraSet:
    """Groups of five around centres of four labels; positive intensities."""
    rng = np.random.default_rng(seed)
    codes = np.arange(count) // GROUP
    groups = int(codes[-1]) + 1
    labels = np.arange(groups) % 4
    basis = rng.random((12, channels), dtype=np.float32)
    worth = rng.random((4, 12))[labels] + 0.3 * rng.random((groups, 12))
    spectra = worth.astype(np.float32)[codes] @ basis
    spectra *= 1 + 0.05 * rng.random((count, channels), dtype=np.float32)
    empty = np.full(count, "")
    return SpectraSet(
        intensities=spectra,
        axis=np.linspace(100.0, 1000.0, channels),
        axis_unit="Th",
        sample_ids=np.array([f"s{i}" for i in range(count)]),
        groups=np.array([f"g{c}" for c in codes]),
        labels=np.array([f"l{labels[c]}" for c in codes]),
        split=empty,
    )


def stages_of_spectra(spectra: SpectraSet, study: Study, folder: Path) -> dict[str, float]:
    """Every stage of one replicate's life, from the file to the database; one epoch is trained."""
    stages = Stages()
    file = folder / "spectra.npz"
    write(spectra, file)
    loaded = stages.time("read (npz)", lambda: read(file))
    stages.time("fingerprint", lambda: loaded.fingerprint)
    stages.time("inspect", lambda: inspect(loaded))
    protocol: Protocol = study.protocol
    design = stages.time("design", lambda: make_design(loaded.groups, loaded.labels, loaded.split, protocol))
    stages.time("summary", design.summary)
    stages.time("leakage audit", lambda: audit(design))
    configuration = first_configuration(study)
    short = replace(configuration, training=replace(configuration.training, epochs=1, patience=1))
    bench = Workbench(loaded, study)
    item = bench.search_item(short, 0, 0)
    data = stages.time("preprocess", lambda: bench.data([item]))
    task = bench.task(item)
    with single_thread():
        # the first call of an operation takes long, whatever the size
        first = replace(task, train=task.train[:32])
        train_stack([first], data)
        (result,) = train_stack([task], data)
    stages.seconds["one epoch"] = result.train_seconds
    stages.seconds["validation (2 looks)"] = result.total_seconds - result.train_seconds
    record = stages.time(
        "scores of a replicate",
        lambda: bench.record(item, result, worker="w", started_at=0.0, environment_id=ENVIRONMENT.id),
    )
    stages.time("jackknife, matched AUC", lambda: jackknife([record.pairs], design.units, "matched_auc"))
    with Store(folder / "study.db") as store:
        store.open_study(study, bench.dataset, design.summary())
        stages.time("store, first of a cell", lambda: store.add_replicate(study.name, record, ENVIRONMENT))
        again = replace(record, key="again")
        stages.time("store, others", lambda: store.add_replicate(study.name, again, ENVIRONMENT))
    (folder / "study.db").unlink()
    file.unlink()
    return stages.seconds


def stages_of_trials(store: Store, bench: Workbench, file: Path) -> dict[str, float]:
    """What is read back from a database of many trials."""
    stages = Stages()
    stages.time("status", lambda: store.status(bench.study.name))
    stages.time("record", lambda: store.record(bench.study.name))
    stages.time("report's data, importance included", lambda: read_study(bench.study.name, f"sqlite:///{file}"))
    return stages.seconds


def _show(what: str, sizes: Sequence[int], rows: Sequence[dict[str, float]]) -> None:
    width = max(len(name) for row in rows for name in row)
    print(f"{what:{width}} " + " ".join(f"{size:>9}" for size in sizes) + "  exponent")
    for name in rows[-1]:
        times = [row[name] for row in rows]
        slope = exponent(sizes, times)
        shown = "-" if math.isnan(slope) else f"{slope:.2f}"
        print(f"{name:{width}} " + " ".join(f"{t:9.3f}" for t in times) + f"  {shown:>8}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="what", required=True)
    for name, sizes in (
        ("spectra", [72, 500, 5000, 50000]),
        ("channels", [400, 2000, 20000]),
        ("trials", [10, 100, 1000, 10000]),
    ):
        command = commands.add_parser(name)
        command.add_argument("--sizes", type=int, nargs="+", default=sizes)
        if name == "spectra":
            command.add_argument("--channels", type=int, default=400)
        elif name == "channels":
            command.add_argument("--spectra", type=int, default=300)
        else:
            command.add_argument("--database", type=Path, help="keep the filled database here and go on with it")
    asked = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    study = load_study("transformer")
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if asked.what == "trials":
            file = asked.database or folder / "study.db"
            bench = bench_for("transformer", 10**6)
            with Store(file) as store:
                for size in asked.sizes:
                    there = trials_in(store, bench)
                    if size > there:
                        fill(store, bench, there, size - there)
                    rows.append(stages_of_trials(store, bench, file))
        for size in asked.sizes if asked.what != "trials" else ():
            count, channels = (size, asked.channels) if asked.what == "spectra" else (asked.spectra, size)
            rows.append(stages_of_spectra(made_up_spectra(count, channels), study, folder))
    _show(asked.what, asked.sizes, rows)


if __name__ == "__main__":
    main()
