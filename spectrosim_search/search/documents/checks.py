"""Contradictions between settings that are each allowed: in a study's sections and in what its search can draw."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.study import Dimension, Study
from spectrosim_search.search.documents.configurations import configuration_from_paths
from spectrosim_search.search.documents.layers import Layers, active, complete

CLASS_METRICS = ("accuracy", "macro_f1")

__all__ = ["draw", "search_problems", "study_problems"]

_DRAWS = 60
_SHOWN = 5


def study_problems(study: Study, where: str) -> list[str]:
    """Contradictions in protocol, ladder, budget and confirmation, one line each."""
    found: list[str] = []
    rungs, protocol, confirmation = study.ladder.rungs, study.protocol, study.confirmation
    screening, paths = study.screening, [d.path for d in study.dimensions]
    if screening.trials:
        found += [
            f"{where}: screening.vary: nothing that varies is, or begins with, '{key}'"
            for key in screening.vary
            if not screening.means(key, paths)
        ]
        if not screening.vary:
            found.append(f"{where}: screening.vary: names nothing, so every screened trial would be the same")
        if not study.climb:
            found.append(
                f"{where}: climb: says no way on from the best screened trials, e.g. [{{training.epochs: 100}}]"
            )
    elif study.climb:
        found.append(f"{where}: climb: nothing is screened: give screening.trials, or leave it out")
    if not rungs or list(rungs) != sorted(set(rungs)) or rungs[0] < 1:
        found.append(f"ladder.rungs: {list(rungs)} does not rise from at least 1, e.g. [1, 3, 6]")
    if protocol.folds == 1:
        found.append("protocol.folds: one fold leaves nothing to train on: use 2 or more, or 0 for automatic")
    if confirmation.minimum_seeds > confirmation.seeds:
        found.append(
            f"confirmation.minimum_seeds: {confirmation.minimum_seeds} is above confirmation.seeds "
            f"({confirmation.seeds}): a confirmation would never be shown; lower it too"
        )
    if confirmation.committee in (1, 2):
        found.append(
            f"confirmation.committee: {confirmation.committee} trials make no committee: give 3 or more, or 0 for none"
        )
    if confirmation.selection != "score" and confirmation.front:
        found.append(
            f"confirmation.front: trials of the front are chosen by score, finalists by {confirmation.selection}: "
            "give 0, or selection: score"
        )
    found += _objective_problems(study)
    found += _task_problems(study)
    if study.data.path and study.data.simulator_parameters:
        found.append("data: has a path and simulator_parameters: spectra are read or simulated, not both")
    for name in ("baselines", "objectives"):
        values = getattr(study, name)
        found += [f"{name}: '{v}' stands twice" for i, v in enumerate(values) if v in values[:i]]
    return [f"{where}: {problem}" for problem in found]


def _task_problems(study: Study) -> list[str]:
    """What a task that names a class, or one that tells pairs, does not go with."""
    names_class = study.task != "same-batch"
    found: list[str] = []
    if study.confirmation.mixtures and study.task != "identify":
        found.append(f"confirmation.mixtures: components are named in task identify, this is {study.task}: give 0")
    if (study.metric in CLASS_METRICS) != names_class:
        wanted = " or ".join(CLASS_METRICS) if names_class else "matched_auc, auc, balanced_accuracy, …"
        found.append(f"metric: {study.metric} does not go with task {study.task}: use {wanted}")
    shares = list(study.confirmation.label_fractions)
    if shares and study.task != "pretrain":
        found.append(f"confirmation.label_fractions: task pretrain alone is asked about few labels, not {study.task}")
    elif shares != sorted(set(shares)) or not all(0 < share < 1 for share in shares):
        found.append(
            f"confirmation.label_fractions: {shares} does not rise between 0 and 1, e.g. [0.05, 0.1, 0.2, 0.5]"
        )
    if not names_class:
        if study.protocol.train_share < 1.0:
            found.append("protocol.train_share: pairs share their spectra, so task same-batch trains on all: give 1")
        return found
    if study.confirmation.presets:
        found.append(f"confirmation.presets: presets are of task same-batch, this is {study.task}: give []")
    if study.confirmation.committee and study.task == "synthesis":
        found.append("confirmation.committee: made spectra are of one generator (task synthesis): give 0")
    if study.confirmation.selection != "score":
        found.append(
            f"confirmation.selection: {study.confirmation.selection} is known in task same-batch alone: give score"
        )
    if len(study.objectives) > 1:
        found.append(f"objectives: task {study.task} is searched for its score alone: give [score]")
    return found


def _objective_problems(study: Study) -> list[str]:
    """What several objectives, or one, do not go with."""
    found: list[str] = []
    if not study.objectives or study.objectives[0] != "score":
        found.append("objectives: starts with score, e.g. [score, inference_time, parameters]")
    if len(study.objectives) > 1 and study.sampler.type == "cmaes":
        found.append("sampler.type: cmaes takes one objective only: use tpe, nsga2, gp, qmc or random")
    if len(study.objectives) == 1 and study.confirmation.front:
        found.append("confirmation.front: one objective has no front: set it to 0, or give objectives")
    return found


def draw(dimensions: tuple[Dimension, ...], generator: random.Random) -> dict[str, Scalar]:
    """One random point of the search, conditions respected."""
    values: dict[str, Scalar] = {}
    for dim in dimensions:
        if not active(dim, values):
            continue
        if dim.kind == "categorical":
            values[dim.path] = generator.choice(dim.choices)
        elif dim.kind == "int":
            step = int(dim.step or 1)
            values[dim.path] = int(dim.low) + step * generator.randint(0, int(dim.high - dim.low) // step)
        else:
            values[dim.path] = generator.uniform(dim.low, dim.high)
    return values


def _ends(dim: Dimension) -> tuple[Scalar, ...]:
    if dim.kind == "categorical":
        return dim.choices
    return (int(dim.low), int(dim.high)) if dim.kind == "int" else (dim.low, dim.high)


def _candidates(study: Study) -> Iterator[Mapping[str, Scalar]]:
    """Known good points, random ones, then every pair of choices inside one section around a random point."""
    yield from (dict(entry) for entry in study.known_good)
    layers = Layers(base=dict(study.base), vary={d.path: d for d in study.dimensions})
    yield from (complete(study.dimensions, dict(way), layers) for way in study.climb)
    generator = random.Random(0)
    drawn = [draw(study.dimensions, generator) for _ in range(_DRAWS if study.dimensions else 1)]
    yield from drawn
    for a, b in itertools.combinations(study.dimensions, 2):
        if a.path.split(".")[0] != b.path.split(".")[0] or "float" in (a.kind, b.kind):
            continue
        around = next((values for values in drawn if a.path in values and b.path in values), None)
        if around is not None and not any(dict(d.when).keys() & {a.path, b.path} for d in study.dimensions):
            yield from ({**around, a.path: x, b.path: y} for x, y in itertools.product(_ends(a), _ends(b)))


def search_problems(study: Study) -> list[str]:
    """What would make a trial of this study impossible, found before the first one starts."""
    found: list[str] = []
    for values in _candidates(study):
        try:
            configuration_from_paths({**dict(study.base), **values})
        except ConfigurationError as error:
            found += [problem for problem in error.problems if problem not in found]
        if len(found) >= _SHOWN:
            break
    return found
