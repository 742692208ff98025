"""A small real study for the tests of search/, and a command that runs it in a process of its own.

``python -m tests.search.searching URL WORKERS [trials=N] [key=value …]`` prints one line for each replicate it stores.
"""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import torch

from spectrosim_search.config.errors import SpectroSimError
from spectrosim_search.config.study import Budget, Study
from spectrosim_search.search import progress
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.driver import Interrupted, SearchOutcome, search
from spectrosim_search.search.records import StudyRecord
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.in_process import InProcessPool
from spectrosim_search.search.workers.pool import Pool
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet

ROOT = Path(__file__).resolve().parents[2]
torch.set_num_threads(1)


def small_spectra(seed: int = 0) -> SpectraSet:
    """36 spectra of 64 channels in 12 batches of two species."""
    return simulate("reims", seed=seed, batches=12, batch_size=3, channels=64, peaks=12, peak_width=5.0)


def small_study(
    trials: int = 6, *, options: list[str] | None = None, vary: list[str] | None = None, **changes: Any
) -> Study:
    """The bundled quick study, made quicker: three folds and two seeds, two epochs.

    `options` as for ``--set``, `vary` as for ``--vary``.
    """
    values = {"training.epochs": "2", "encoder.patch": "16"} | dict(o.split("=", 1) for o in options or [])
    study = load_study("quick", set_=[f"{key}={value}" for key, value in values.items()], vary=vary or ())
    return dataclasses.replace(study, name="small", budget=Budget(trials=trials), **changes)


def start_pool(spectra: SpectraSet, study: Study, workers: int) -> Pool:
    """In-process for 0 workers, Ray for more."""
    if workers == 0:
        return InProcessPool(spectra, study)
    from spectrosim_search.search.workers.ray_pool import RayPool

    return RayPool(spectra, study, workers=workers)


def run_small(
    url: str | Path, study: Study, workers: int = 0, listener: progress.Listener = progress.silent, **given: Any
) -> tuple[SearchOutcome, StudyRecord]:
    """Search and read the study back."""
    spectra = small_spectra()
    pool = start_pool(spectra, study, workers)
    try:
        with Store(url) as store:
            outcome = search(store, Workbench(spectra, study), pool, listener=listener, **given)
            return outcome, store.record(study.name)
    finally:
        pool.close()


def numbers(record: StudyRecord) -> dict[str, Any]:
    """Everything of a study that must repeat: trials, values, reports, replicate scores and curves, in order."""
    return {
        "trials": [
            (t.number, t.state, t.value, dict(t.parameters), dict(t.intermediate), t.reason) for t in record.trials
        ],
        "replicates": [
            (r.key, r.trial_number, r.cell, r.status, r.score, r.curve.tolist(), r.chosen_epochs)
            for r in record.replicates
        ],
    }


def main(arguments: list[str]) -> int:
    """Run the small study; exit codes as the command line's."""
    url, workers, *rest = arguments
    given = dict(a.split("=", 1) for a in rest)
    trials = int(given.pop("trials", 6))
    lease = float(given.pop("lease", 60.0))
    grace = float(given.pop("grace", 10.0))
    study = small_study(trials, options=[f"{k}={v}" for k, v in given.items()])

    def show(event: progress.Event) -> None:
        if isinstance(event, progress.ReplicateDone):
            print("replicate", event.key, event.worker, flush=True)
        elif isinstance(event, progress.WorkerLost):
            print("lost", event.worker, event.reason, flush=True)

    try:
        outcome, _ = run_small(url, study, int(workers), show, lease_seconds=lease, grace=grace)
    except Interrupted as error:
        print(error, flush=True)
        return 130
    except SpectroSimError as error:
        print("error", error, flush=True)
        return 2
    print(f"done {outcome.complete} {outcome.pruned}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
