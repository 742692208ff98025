"""What an encoder costs: parameters, megabytes, time of a training step, time of inference.

Times are medians of repetitions after a warm-up, of the engine's own step: views, forward, objective, backward,
optimiser. ``python -m spectrosim_search.learning.costs docs/models.md`` measures all encoders and renews the table in
that page.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration, Optimiser, Positives, Preprocessing, Training
from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import device_of, single_thread
from spectrosim_search.learning.precision import Precision
from spectrosim_search.learning.published_costs import PUBLISHED, SOURCE
from spectrosim_search.learning.stack import Stack
from spectrosim_search.learning.tasks import ReplicateTask, TrainingData

__all__ = ["SOURCE", "Cost", "caption", "configurations", "markdown", "measure", "measure_all", "renewed", "rows_of"]

_BATCHES = 2  # of the made-up training set
_FEWEST, _MOST = 3, 200  # repetitions


@dataclass(frozen=True)
class Cost:
    """What one encoder costs with its head; times are NaN where it could not be measured, `note` says why."""

    encoder: str
    parameters: int  # encoder and head
    megabytes: float  # of the parameters in float32, 10⁶ bytes
    precision: str  # what the encoder computed in
    training_ms: float  # one step of one replicate
    inference_ms: float  # one spectrum, in a batch
    note: str = ""


def configurations(
    encoders: Sequence[str] = (),
    *,
    head: str = "mlp",
    objective: str = "nt-xent",
    batch: int = 32,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[Configuration]:
    """Return a configuration for each encoder, without any: for all; everything else at its defaults, no augmentations.

    `settings` may hold settings of ``encoder``, ``head`` and ``objective``. Raises ConfigurationError with every
    problem at once.
    """
    given: dict[str, dict[str, Any]] = {"encoder": {}, "head": {"type": head}, "objective": {"type": objective}}
    problems = [f"unknown part '{p}' (known: encoder, head, objective)" for p in settings or {} if p not in given]
    given = {part: {**own, **(settings or {}).get(part, {})} for part, own in given.items()}
    parts: dict[str, Any] = {}
    for part in ("head", "objective"):
        try:
            parts[part] = resolve(part, given[part])
        except ConfigurationError as error:
            problems += error.problems
    chosen = []
    for name in encoders or registry.names("learning.encoders"):
        try:
            chosen.append(resolve("encoders", {"type": name, **given["encoder"]}))
        except ConfigurationError as error:
            problems += error.problems
    if not 2 <= batch <= 4096:
        problems.append(f"batch {batch} is not between 2 and 4096")
    if problems:
        raise ConfigurationError(problems)
    training = Training(batch_size=batch)
    others: dict[str, Any] = {
        "augmentations": (),
        "positives": Positives(),
        "optimiser": Optimiser(),
        "training": training,
    }
    return [Configuration(Preprocessing(), c, **others, **parts) for c in chosen]


def measure(
    configuration: Configuration,
    channels: int,
    *,
    device: str = "cpu",
    precision: Precision = "auto",
    replicates: int = 1,
    seconds: float = 1.0,
) -> Cost:
    """Measure one configuration on made-up spectra of `channels` channels.

    Each of the two times is the median of 3 to 200 repetitions in about `seconds`. On a GPU, `replicates` are trained
    and asked in one stack and times are shared among them. Raises InputError for an unknown device.
    """
    place = device_of(device)
    batch = configuration.training.batch_size
    rng = np.random.default_rng(0)
    count = _BATCHES * batch
    spectra = rng.normal(size=(count, channels)).astype(np.float32)
    data = TrainingData(spectra, np.linspace(77.0, 999.0, channels), np.arange(count) // 2)
    rows = np.arange(count)
    tasks = [ReplicateTask(f"cost {seed}", configuration, seed, "made up", rows, None) for seed in range(replicates)]
    stack = Stack(tasks, {"made up": data}, place, precision)
    plan = stack.plan(1)
    asked = plan[0]
    taken = 0

    def step() -> None:
        nonlocal taken
        stack.step(plan[taken % len(plan)], taken)
        taken += 1

    training = _median_ms(step, place, seconds)
    inference = _median_ms(lambda: stack.outputs(asked), place, seconds)
    return Cost(
        encoder=configuration.encoder.type,
        parameters=stack.model.count,
        megabytes=stack.model.count * 4 / 1e6,
        precision={torch.float32: "fp32", torch.bfloat16: "bf16", torch.float64: "fp64"}[stack.compute],
        training_ms=training / replicates,
        inference_ms=inference / replicates / batch,
    )


def _median_ms(once: Callable[[], object], device: torch.device, seconds: float) -> float:
    """Return the median of the times of repeated calls, in ms; the first call warms caches up and does not count.

    On a CPU this is the time the thread was given, so that other programs on the machine hardly show.
    """
    clock = time.thread_time if device.type == "cpu" else time.perf_counter
    took: list[float] = []
    end = time.perf_counter() + seconds
    while len(took) <= _FEWEST or (len(took) <= _MOST and time.perf_counter() < end):
        start = clock()
        once()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        took.append(clock() - start)
    return 1e3 * statistics.median(took[1:])


def measure_all(
    chosen: Sequence[Configuration],
    channels: int,
    *,
    note: Callable[[str], None] | None = None,
    **options: Any,
) -> list[Cost]:
    """Measure several configurations on one thread; options as for :func:`measure`.

    An encoder that cannot take that many channels gets a row that says so. `note` is told each encoder's name first.
    """
    out = []
    with single_thread():
        for configuration in chosen:
            if note is not None:
                note(configuration.encoder.type)
            try:
                out.append(measure(configuration, channels, **options))
            except ConfigurationError as error:
                nothing = float("nan")
                out.append(Cost(configuration.encoder.type, 0, nothing, "", nothing, nothing, str(error)))
    return out


def rows_of(costs: Sequence[Cost], *, papers: bool = False) -> tuple[list[str], list[list[str]]]:
    """Return column names and rows of text; `papers` adds the published figures, empty where there are none."""
    columns = ["encoder", "parameters", "MB", "training step, ms", "inference, ms a spectrum", "precision"]
    if papers:
        columns += ["published as", "parameters", "MB", "training, ms a batch", "inference, ms a batch"]
    rows = []
    for cost in costs:
        row = [cost.encoder]
        if cost.note:
            row += ["n/a: " + cost.note, "", "", "", ""]
        else:
            numbers = (cost.megabytes, cost.training_ms, cost.inference_ms)
            row += [f"{cost.parameters:,}", *map(_short, numbers), cost.precision]
        if papers:
            cited = PUBLISHED.get(cost.encoder)
            row += [""] * 5 if cited is None else [cited.model, f"{cited.parameters:,}", *map(_short, cited.figures)]
        rows.append(row)
    return columns, rows


def _short(number: float) -> str:
    """Three digits, never an exponent."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"


def caption(chosen: Configuration, channels: int, *, device: str = "cpu", replicates: int = 1) -> str:
    """Return how the figures were measured, in one sentence."""
    place = "time of one processor thread" if device == "cpu" else f"{device}, {replicates} replicates in a stack"
    return (
        f"Encoder with head {chosen.head.type} and objective {chosen.objective.type}, {channels:,} channels; a step "
        f"trains on {chosen.training.batch_size} spectra, two views each, without augmentations; medians, {place}."
    )


def markdown(costs: Sequence[Cost], *, papers: bool = False) -> str:
    """Return the table in Markdown, numbers to the right."""
    columns, rows = rows_of(costs, papers=papers)
    words = ("encoder", "precision", "published as")
    rule = ["---" if c in words else "---:" for c in columns]
    return "\n".join("| " + " | ".join(row) + " |" for row in [columns, rule, *rows])


def renewed(page: str, table: str) -> str:
    """Return a page with what stands between its lines ``<!-- costs -->`` and ``<!-- /costs -->`` replaced.

    Raises InputError where the page lacks them.
    """
    start, end = "<!-- costs -->\n", "<!-- /costs -->"
    if start not in page or end not in page:
        raise InputError(f"the page has no lines '{start.strip()}' and '{end}'")
    return page[: page.index(start) + len(start)] + table + "\n" + page[page.index(end) :]


def _main(path: Path) -> None:
    chosen = configurations()
    channels = 2080
    table = markdown(measure_all(chosen, channels), papers=True)
    text = f"{table}\n\n{caption(chosen[0], channels)} Published: {SOURCE}."
    path.write_text(renewed(path.read_text(encoding="utf-8"), text), encoding="utf-8")


if __name__ == "__main__":
    _main(Path(sys.argv[1]))
