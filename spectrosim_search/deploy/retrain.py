"""Training the model that is handed over: cross-validate the procedure, then train it on everything."""

from __future__ import annotations

import platform
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import DataError, InputError, RunError
from spectrosim_search.config.study import Protocol
from spectrosim_search.deploy._folder_writing import check_target
from spectrosim_search.deploy.alignment import IntensityRange
from spectrosim_search.deploy.cross_fit import (
    CrossFit,
    Progress,
    averaged,
    cross_fit_linear,
    cross_fit_network,
    fit_linear,
)
from spectrosim_search.deploy.decision import Decision, decide
from spectrosim_search.deploy.document import ExportDocument, LinearMetric, load_export
from spectrosim_search.deploy.embedding import Part
from spectrosim_search.deploy.model_folder import MARKER, ModelFolder, save
from spectrosim_search.learning.tasks import ReplicateTask, TrainingData
from spectrosim_search.protocol.cells import Cell
from spectrosim_search.protocol.design import Design, make_design
from spectrosim_search.spectra import preprocessing
from spectrosim_search.spectra.preprocessing import State
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["packages", "train"]

_CROSS_VALIDATION = 0.9  # share of the work, for the progress shown


def train(
    document: ExportDocument | str | Path,
    spectra: SpectraSet,
    out: str | Path,
    *,
    seeds: int = 3,
    folds: int = 0,
    seed: int = 0,
    device: str = "cpu",
    force: bool = False,
    progress: Progress | None = None,
) -> ModelFolder:
    """Train a model on all spectra and write its folder.

    First K grouped folds × `seeds` training runs (`folds` 0: 3, or 2 below 12 groups) give out-of-fold similarities:
    from them come the number of epochs (median of the chosen), threshold, calibration and expected error rates. Then
    one model is trained on every spectrum that has a group, from `seed`, for that many epochs. Members of a committee
    are trained one after the other, each for its own number of epochs; threshold, calibration and error rates come from
    the mean of their out-of-fold similarities. An epoch is ⌈spectra /
    batch size⌉ steps, so the last training takes more steps than the folds' did, in proportion to its data.

    With 4 to 7 groups of two or more spectra no epoch can be chosen and the configuration's own number is used; below
    4 nothing can be judged and no model is made: one whose errors nobody knows should not be handed over. Where folds
    lack pairs of a kind the model has no threshold, gives similarities only, and says so. Raises InputError or
    DataError for wrong input before anything is trained (an `out` that is taken, too few groups, intensities the
    preprocessing cannot take), RunError where training diverges. `out` appears complete or not at all; a model there
    is replaced with `force` only.
    """
    started = time.time()
    if not isinstance(document, ExportDocument):
        document = load_export(document)
    if seeds < 1:
        raise InputError(f"{seeds} seeds: at least one training run a fold is needed")
    check_target(Path(out), force=force, marker=MARKER)
    tell = progress or _silent
    fingerprint = spectra.fingerprint  # of the data as they were given: what a study calls them
    spectra = _with_groups(spectra)
    design, notes = _design(spectra, folds)
    fitted, decision, chosen = _fit(document, spectra, design, notes, seeds, seed, device, tell)
    folder = ModelFolder(
        name=Path(out).name,
        document=document,
        parts=fitted,
        axis=spectra.axis,
        axis_unit=spectra.axis_unit,
        intensities=IntensityRange.of(spectra.intensities),
        decision=decision,
        data={
            "name": spectra.name,
            "fingerprint": fingerprint,
            "spectra": len(spectra),
            "groups": len(np.unique(spectra.groups)),
            "labels": len(np.unique(spectra.labels[spectra.labels != ""])),
        },
        training={**chosen, "seed": seed, "device": device, "seconds": round(time.time() - started, 3)},
        packages=packages(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=tuple(notes),
    )
    saved = save(folder, out, force=force)
    tell("done", 1.0)
    return saved


def _silent(what: str, share: float) -> None:
    """Progress nobody asked for."""


def _with_groups(spectra: SpectraSet) -> SpectraSet:
    """The spectra that can train: those with a group; a pool may hold material of any group."""
    known = spectra.groups != ""
    if not known.any():
        raise DataError(f"no spectrum of '{spectra.name}' has a group: name the group column")
    if known.all():
        return spectra
    kept = spectra.select(known)
    left_out = f"{int((~known).sum())} spectra without a group were left out"
    return replace(kept, warnings=(*kept.warnings, left_out))


def _design(spectra: SpectraSet, folds: int) -> tuple[Design, list[str]]:
    """Batch-disjoint folds over all groups."""
    protocol = Protocol(name="batch-disjoint", scoring="corrected-cv", folds=folds)
    design = make_design(spectra.groups, spectra.labels, spectra.split, protocol, searchable=False)
    return design, list(dict.fromkeys((*spectra.warnings, *design.warnings)))


def _fit(
    document: ExportDocument,
    spectra: SpectraSet,
    design: Design,
    notes: list[str],
    seeds: int,
    seed: int,
    device: str,
    tell: Progress,
) -> tuple[tuple[Part, ...], Decision | None, dict[str, Any]]:
    """Cross-fit, decide, and fit on everything; adds to `notes` what a reader of the model must know."""

    def part(what: str, share: float) -> None:
        tell(what, share * _CROSS_VALIDATION)

    cells = design.cells(seeds, first=seed)
    if document.configuration is not None:
        crossed = cross_fit_network(document.configuration, spectra, design, cells, device=device, progress=part)
        epochs = _epochs(document.configuration, crossed, notes)
        decision = _decide(crossed, design, notes)
        tell("training on all spectra", _CROSS_VALIDATION)
        fitted = _fit_network(document.configuration, spectra, design, epochs, seed, device)
        return (fitted,), decision, {"epochs": epochs, "epochs_chosen": list(crossed.epochs)}
    if document.members:
        return _fit_committee(document.members, spectra, design, notes, cells, seed, device, part)
    settings = document.linear_metric or LinearMetric()
    decision = _decide(cross_fit_linear(settings, spectra, design, cells, progress=part), design, notes)
    tell("fitting on all spectra", _CROSS_VALIDATION)
    rows = design.codes.usable()
    output = fit_linear(settings, spectra, design, rows, design.groups, (), seed)
    if output.preprocessing is None:
        raise RunError("the linear metric came without its preprocessing")
    arrays = output.parameters
    state = State.from_arrays(
        output.preprocessing, {k.removeprefix("preprocessing."): v for k, v in arrays.items() if "." in k}
    )
    metric = Part(None, {k: v for k, v in arrays.items() if "." not in k}, state)
    return (metric,), decision, {"settings": output.settings}


def _fit_committee(
    members: tuple[Configuration, ...],
    spectra: SpectraSet,
    design: Design,
    notes: list[str],
    cells: tuple[Cell, ...],
    seed: int,
    device: str,
    tell: Progress,
) -> tuple[tuple[Part, ...], Decision | None, dict[str, Any]]:
    """Cross-fit every member on the same cells, decide on the mean of their similarities, fit each on everything."""
    crossed: list[CrossFit] = []
    epochs: list[int] = []
    for number, configuration in enumerate(members, 1):
        own: list[str] = []

        def part(what: str, share: float, done: int = number - 1) -> None:
            tell(f"{what}, member {done + 1} of {len(members)}", (done + share) / len(members))

        try:
            crossed.append(cross_fit_network(configuration, spectra, design, cells, device=device, progress=part))
        except RunError as error:
            raise RunError(f"member {number} of the committee: {error}") from error
        epochs.append(_epochs(configuration, crossed[-1], own))
        notes += [f"member {number}: {note}" for note in own]
    decision = _decide(averaged(crossed), design, notes)
    tell("training on all spectra", 1.0)
    parts = tuple(_fit_network(c, spectra, design, e, seed, device) for c, e in zip(members, epochs, strict=True))
    return parts, decision, {"epochs": epochs, "epochs_chosen": [list(c.epochs) for c in crossed]}


def _epochs(configuration: Configuration, crossed: CrossFit, notes: list[str]) -> int:
    """Median of the epochs chosen in the folds; at least one where the configuration trains at all."""
    if configuration.training.epochs == 0:
        return 0
    if crossed.diverged:
        notes.append(f"{crossed.diverged} of the training runs of cross-validation diverged: lower the learning rate")
    if not crossed.epochs:
        notes.append(
            "too few groups to choose the number of epochs: the configuration's "
            f"{configuration.training.epochs} were used"
        )
        return configuration.training.epochs
    median = max(1, round(float(np.median(crossed.epochs))))
    if sum(e == 0 for e in crossed.epochs) * 2 > len(crossed.epochs):
        notes.append(
            "in most folds the untrained network was no worse than any trained one: do not expect much of this model"
        )
    return median


def _decide(crossed: CrossFit, design: Design, notes: list[str]) -> Decision | None:
    try:
        decision = decide(crossed.parts, design.units)
    except DataError as error:
        notes.append(f"no threshold: {error}")
        return None
    if decision.calibration.slope <= 0:
        notes.append(
            "out-of-fold similarity does not rise with being of one group: this model cannot tell groups apart"
        )
    return decision


def _fit_network(
    configuration: Configuration, spectra: SpectraSet, design: Design, epochs: int, seed: int, device: str
) -> Part:
    from spectrosim_search.learning.engine import train_stack

    rows = design.codes.usable()
    state = preprocessing.fit(configuration.preprocessing, spectra.intensities[rows])
    data = {"all": TrainingData(state.transform(spectra.intensities), state.axis(spectra.axis), design.groups)}
    task = ReplicateTask(
        key="all",
        configuration=configuration,
        seed=seed,
        data="all",
        train=rows,
        halves=None,
        epochs=epochs,
        return_parameters=True,
    )
    result = train_stack([task], data, device=device, precision=configuration.training.precision)[0]
    if result.status == "diverged":
        raise RunError(f"training on all spectra diverged ({result.reason}): lower the learning rate")
    return Part(configuration, result.parameters, state)


def packages() -> dict[str, str]:
    """Versions that can change what a model says."""
    from spectrosim_search import __version__

    names = ("torch", "numpy", "scipy", "safetensors")
    return {"spectrosim-search": __version__, "python": platform.python_version()} | {
        n: metadata.version(n) for n in names
    }
