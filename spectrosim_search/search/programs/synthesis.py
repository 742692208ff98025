"""Synthesis: make spectra from the training spectra and train a classifier on real and synthetic ones.

The classes are those of the task (compounds). A generator around a prescribed class vector
(:mod:`spectrosim_search.learning.synthesis`) makes ``amount`` spectra for each training spectrum; the classifier names
the judged spectra. What the generator is worth is the accuracy it adds over other ways to make as many spectra
(:mod:`spectrosim_search.baselines.generators`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers import ClassInput, ClassOutput
from spectrosim_search.baselines.generators import GeneratorInput, GeneratorOutput
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.worth import scores
from spectrosim_search.search.programs._contract import OnEpoch, ProgramResult, ProgramTask
from spectrosim_search.search.programs._synthesis import checked, kept_rows
from spectrosim_search.search.programs._synthesis_generator import Synthetic, generate, synthesise
from spectrosim_search.search.programs._synthesis_mirror import mirrored
from spectrosim_search.search.programs._synthesis_settings import Settings, settings_of
from spectrosim_search.search.programs._synthesis_worth import classifier as trained
from spectrosim_search.search.programs._synthesis_worth import measures
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = [
    "BASELINES",
    "REFERENCES",
    "ROWS_DRAW",
    "Settings",
    "Synthetic",
    "baseline",
    "fit",
    "generate",
    "mirrored",
    "predict",
    "prepare",
    "run",
    "side",
    "synthesise",
    "trains_encoder",
]

BASELINES = "baselines.generators"
REFERENCES = ("none", "duplicates", "noise", "peak-removal", "class-mean", "mixup", "vae")
ROWS_DRAW = True  # every reference row trains the same classifier, which draws


def trains_encoder(configuration: Configuration) -> bool:
    """Whether an autoencoder takes part."""
    settings = settings_of(configuration)
    return settings.use != "real" and settings.blend > 0


def prepare(spectra: SpectraSet) -> SpectraSet:
    """Near-duplicates of a class in one block, where the data name no blocks of their own. Raises DataError off m/z."""
    from spectrosim_search.spectra.near_duplicates import with_blocks

    if (spectra.split != "").any():
        return spectra
    blocked = with_blocks(spectra)
    alike = len(spectra) - len(np.unique(blocked.split))
    told = f"{alike} spectra are near-duplicates of another of their group (weighted cosine above .99): kept together"
    return replace(blocked, warnings=(*spectra.warnings, told)) if alike else spectra


def side(study: Study, spectra: SpectraSet, class_names: Sequence[str]) -> dict[str, NDArray[np.float32]]:
    """Class vectors of the file that the study names (``--vectors``), both as given and as fingerprints."""
    from spectrosim_search.spectra.class_vectors import read_class_vectors

    del spectra
    if not study.data.vectors:
        return {}
    found = read_class_vectors(study.data.vectors, class_names)
    return {"vectors": found, "fingerprints": found}


def run(task: ProgramTask, *, device: str = "cpu", on_epoch: OnEpoch | None = None) -> ProgramResult:
    """Make spectra, train the classifier, name the judged rows.

    Metrics: ``novelty`` and ``distinct`` of the synthetic spectra; where ``spectra_per_class`` leaves training rows
    unused, also their likeness to those (:func:`~spectrosim_search.evaluation.generation.generation_metrics`). Raises
    as :func:`synthesise`, and DataError below two classes.
    """
    began, settings = time.perf_counter(), settings_of(task.configuration)
    made = synthesise(task, device=device, on_epoch=on_epoch)
    if made.status != "finished":
        nothing = np.full(task.judged.size, -1, np.int64), np.zeros(task.judged.size, np.float32)
        return ProgramResult(made.status, made.reason, *nothing, made.loss, time.perf_counter() - began)
    classifier = trained(settings, made.parameters, made.spectra, made.classes, task.seed)
    named = scores(classifier, task.spectra[task.judged])
    seconds = time.perf_counter() - began
    rows = kept_rows(task.train, task.classes, settings.spectra_per_class)
    metrics = measures(
        task.configuration, made.spectra, made.classes, task.spectra, task.classes, rows, task.train, task.axis
    )
    predicted = named.argmax(axis=1).astype(np.int64)
    return ProgramResult("finished", "", predicted, named.max(axis=1), made.loss, seconds, metrics)


def fit(task: ProgramTask, *, device: str = "cpu") -> Mapping[str, NDArray[np.float32]]:
    """Return generator, what it draws from and the classifier, by name. Raises RunError where training diverged."""
    made = synthesise(task, device=device)
    if made.status != "finished":
        raise RunError(f"training of the generator diverged ({made.reason}): lower the learning rate")
    classifier = trained(settings_of(task.configuration), made.parameters, made.spectra, made.classes, task.seed)
    return made.parameters | {f"classifier.{n}": v for n, v in classifier.items()}


def predict(
    configuration: Configuration,
    parameters: Mapping[str, NDArray[np.float32]],
    spectra: NDArray[np.float32],
    axis: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Probabilities ``(K, C)`` of preprocessed spectra ``(K, L)``."""
    return scores(
        {n.removeprefix("classifier."): v for n, v in parameters.items() if n.startswith("classifier.")}, spectra
    )


def baseline(name: str, given: ClassInput, configuration: Configuration) -> ClassOutput:
    """The same classifier on real spectra and as many of a rival generator's.

    Preprocessing, amount, classifier, use and spectra per class are the configuration's. With ``use: synthetic`` it
    learns from the rival's spectra alone (``none`` from the real ones).
    """
    from spectrosim_search.spectra.preprocessing import fit as fit_preprocessing

    settings = settings_of(configuration)
    rows = kept_rows(given.train, given.classes, settings.spectra_per_class)
    state = fit_preprocessing(configuration.preprocessing, given.spectra.intensities[given.train])
    x, axis = state.transform(given.spectra.intensities), state.axis(given.spectra.axis)
    real, own = checked(x[rows]), given.classes[rows]
    rival = registry.load(BASELINES, name)
    made: GeneratorOutput = rival.generate(
        GeneratorInput(real, own, axis, settings.amount, given.training_seed, configuration)
    )
    parameters = {
        "training.spectra": real,
        "training.classes": own.astype(np.float32),
        "training.class_count": np.array([len(given.class_names)], np.float32),
    }
    use = settings.use if made.classes.size else "real"
    classifier = trained(replace(settings, use=use), parameters, made.spectra, made.classes, given.training_seed)
    named = scores(classifier, x[given.judged])
    metrics = measures(configuration, made.spectra, made.classes, x, given.classes, rows, given.train, axis)
    line = f"{settings.classifier}, {made.classes.size} made beside {rows.size} real spectra"
    return ClassOutput(named.argmax(axis=1).astype(np.int64), named.max(axis=1), line, metrics)
