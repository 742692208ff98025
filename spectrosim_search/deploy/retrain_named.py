"""Training the model of a task that names a class: judge the procedure out of fold, then train it on everything."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.config.study import DataSource, Protocol, Study
from spectrosim_search.deploy._folder_reading import MARKER
from spectrosim_search.deploy._folder_writing import check_target
from spectrosim_search.deploy.alignment import IntensityRange
from spectrosim_search.deploy.document import ExportDocument
from spectrosim_search.deploy.embedding import Part
from spectrosim_search.deploy.named_model import NamedModel, joined_scores, save_named
from spectrosim_search.deploy.retrain import packages
from spectrosim_search.evaluation.class_statistics import CLASS_METRICS, ClassMethod, class_jackknife
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.programs import ProgramTask
from spectrosim_search.spectra import preprocessing
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["train_named"]

KEPT = 0.95  # share of what is named rightly out of fold that stays above the threshold
_CROSS_VALIDATION = 0.8  # share of the work, for the progress shown


def train_named(
    document: ExportDocument,
    spectra: SpectraSet,
    out: str | Path,
    *,
    source: DataSource | None = None,
    seeds: int = 1,
    folds: int = 0,
    seed: int = 0,
    device: str = "cpu",
    force: bool = False,
    progress: Callable[[str, float], None] | None = None,
) -> NamedModel:
    """Train a program, or every member of a committee, on all spectra and write the folder.

    First grouped folds × `seeds` training runs name every spectrum out of fold: expected accuracy and the threshold
    below which the model says *unknown* come from them. Then one model is trained on every spectrum that has a class.
    Raises InputError and DataError for wrong input before anything is trained, and where something is in the way of
    `out`.
    """
    started = time.time()
    tell = progress or _silent
    if not document.task:
        raise DataError("the document holds no program: it is trained as a model of batches")
    configurations = document.configurations
    check_target(Path(out), force=force, marker=MARKER)
    study = Study(
        name=Path(out).name,
        task=document.task,  # type: ignore[arg-type]  # the registry's names are the tasks
        data=source or DataSource(),
        protocol=Protocol(scoring="corrected-cv", folds=folds, seeds=seeds),
        metric="accuracy",
        baselines=(),
    )
    bench = ClassBench(spectra, study, searchable=False)
    method: list[tuple[Any, ...]] = []
    confidences: list[NDArray[np.float32]] = []
    total = seeds * bench.folds
    for s in range(seeds):
        named = []
        for fold in range(bench.folds):
            tell(
                f"fold {fold + 1} of {bench.folds}, seed {s + 1}", _CROSS_VALIDATION * (s * bench.folds + fold) / total
            )
            place = s * bench.folds + fold
            tasks = [bench.task(bench.confirmation_items(c, seeds)[place]) for c in configurations]
            scores = joined_scores([_out_of_fold(bench, task, device) for task in tasks])
            judged = tasks[0].judged
            part = bench.scores(judged, scores.argmax(axis=1), scores.max(axis=1).astype(np.float32))
            named.append(part)
            confidences.append(part.confidence[part.truth == part.predicted])
        method.append(tuple(named))
    tell("training on all spectra", _CROSS_VALIDATION)
    rows = bench.everything(configurations[0], seed).train
    parts = tuple(
        Part(
            c,
            bench.program.fit(bench.everything(c, seed), device=device),
            preprocessing.fit(c.preprocessing, spectra.intensities[rows]),
        )
        for c in configurations
    )
    right = np.concatenate(confidences)
    model = NamedModel(
        name=Path(out).name,
        document=document,
        class_names=bench.design.class_names,
        parts=parts,
        axis=spectra.axis,
        axis_unit=spectra.axis_unit,
        intensities=IntensityRange.of(spectra.intensities[rows]),
        scores=_scores(method, bench),
        reject_below=float(np.quantile(right, 1.0 - KEPT)) if len(right) else math.inf,
        data={
            "name": spectra.name,
            "fingerprint": spectra.fingerprint,
            "spectra": len(rows),
            "classes": len(bench.design.class_names),
        },
        training={"seed": seed, "device": device, "seconds": round(time.time() - started, 3)},
        packages=packages(),
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        notes=tuple(dict.fromkeys((*spectra.warnings, *bench.design.warnings))),
    )
    saved = save_named(model, out, force=force)
    tell("done", 1.0)
    return saved


def _out_of_fold(bench: ClassBench, task: ProgramTask, device: str) -> NDArray[np.float32]:
    """Scores ``(m, C)`` of the judged spectra by a model of the others."""
    learnt = bench.program.fit(task, device=device)
    found: NDArray[np.float32] = bench.program.predict(task.configuration, learnt, task.spectra[task.judged], task.axis)
    return found


def _scores(method: ClassMethod, bench: ClassBench) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for metric in CLASS_METRICS:
        found[metric] = _plain(class_jackknife(method, bench.design.units, metric))
    return found | {"unit": bench.design.unit_plural}


def _plain(e: Estimate) -> dict[str, float]:
    values = {"value": e.value, "low": e.low, "high": e.high}
    return {k: round(v, 6) for k, v in values.items() if math.isfinite(v)}


def _silent(what: str, share: float) -> None:
    """Progress nobody asked for."""
