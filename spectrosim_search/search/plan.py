"""What a study will cost, measured on this machine before it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.study import Study
from spectrosim_search.search.ladder import rungs
from spectrosim_search.search.workbench import Workbench

__all__ = ["costs", "expected_replicates", "first_configuration", "seconds_a_replicate"]

PROBE_EPOCHS = 2
PROCESS_MIB = 320  # a worker with torch loaded


def first_configuration(study: Study) -> Configuration:
    """The configuration that a study tries first: its first known good one, or what it starts from."""
    from spectrosim_search.search.space import build_configuration

    return build_configuration(study, dict(study.known_good[0]) if study.known_good else {})


def seconds_a_replicate(bench: Workbench, configuration: Configuration) -> tuple[float, int]:
    """Seconds of a replicate that is not stopped early, and MiB of memory a worker needs.

    Two epochs of the first cell, or of all cells of its seed where they train as one stack, are trained, one thread,
    and scaled to the full schedule.
    """
    from spectrosim_search.learning.engine import single_thread, train_stack

    together = bench.folds if bench.stacks(configuration) else 1
    items = [bench.search_item(configuration, None, cell) for cell in range(together)]
    data = bench.data(items)
    short = replace(configuration, training=replace(configuration.training, epochs=PROBE_EPOCHS))
    tasks = [replace(bench.task(item), configuration=short) for item in items]
    with single_thread():
        train_stack(tasks, data)  # warm-up: first calls allocate
        results = train_stack(tasks, data)
    mean = sum(result.total_seconds for result in results) / together
    seconds = mean * configuration.training.epochs / PROBE_EPOCHS
    spectra = sum(d.spectra.nbytes for d in data.values()) + bench.spectra.intensities.nbytes
    return seconds, PROCESS_MIB + 2 * spectra // 2**20


def expected_replicates(study: Study, cells: int) -> float:
    """Replicates of a search whose test at the last rung stops nobody: as many as it takes at most, but for luck.

    `keep` of the trials passes each rung below the last, where rank decides; those that pass climb to all cells.
    """
    share, searched, last = 1.0, 0.0, 0
    steps = [rung for rung in rungs(study.ladder, cells) if rung < cells]
    for rung in steps:
        searched += study.budget.trials * share * (rung - last)
        share, last = share * (study.ladder.keep if rung != steps[-1] else 1.0), rung
    return searched + study.budget.trials * share * (cells - last)


def costs(
    study: Study,
    *,
    cells: int,
    searched: float,
    confirmed: int,
    each: float,
    slots: int,
    memory: int,
    design: Mapping[str, Any],
    warnings: Sequence[str],
) -> dict[str, Any]:
    """The lines of a plan that every task has. each: seconds a replicate; memory: MiB a worker; design: its summary."""
    return {
        "cells a trial": cells,
        "trials": study.budget.trials,
        "search replicates (about)": round(searched),
        "confirmation replicates (at most)": confirmed,
        "seconds a replicate (at most)": round(each, 2),
        "search minutes (at most)": round(searched * each / slots / 60, 1),
        "confirmation minutes (at most)": round(confirmed * each / slots / 60, 1),
        "budget minutes": study.budget.minutes or "no limit",
        "workers": slots,
        "memory a worker (MiB, about)": memory,
        **{k: v for k, v in design.items() if k != "warnings"},
        "warnings": tuple(warnings),
    }
