"""Synthesis: make spectra from the training spectra and train a classifier on real and synthetic ones.

The classes are those of the task (compounds). A generator around a prescribed class vector
(:mod:`spectrosim_search.learning.synthesis`) makes ``amount`` spectra for each training spectrum; the classifier names
the judged spectra. What the generator is worth is the accuracy it adds over other ways to make as many spectra
(:mod:`spectrosim_search.baselines.generators`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers import ClassInput, ClassOutput
from spectrosim_search.baselines.generators import GeneratorInput, GeneratorOutput
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.config.fields import field
from spectrosim_search.config.study import Study
from spectrosim_search.evaluation.generation import generation_metrics
from spectrosim_search.evaluation.worth import fit_classifier, scores
from spectrosim_search.search.programs._contract import OnEpoch, ProgramResult, ProgramTask
from spectrosim_search.search.programs._synthesis import checked, intensities, kept_rows
from spectrosim_search.spectra.spectra_set import SpectraSet

if TYPE_CHECKING:
    from spectrosim_search.learning.synthesis import Prescribed

__all__ = [
    "BASELINES",
    "ROWS_DRAW",
    "Settings",
    "Synthetic",
    "baseline",
    "fit",
    "generate",
    "predict",
    "prepare",
    "run",
    "side",
    "synthesise",
]

BASELINES = "baselines.generators"
ROWS_DRAW = True  # every reference row trains the same classifier, which draws

Arrays = dict[str, NDArray[np.float32]]
_MEASURED = 2000  # synthetic spectra that the measures of generation look at, at most


@dataclass(frozen=True)
class Settings:
    """Settings of synthesis. Tilt, power and noise are of the preprocessed intensities' logarithms."""

    vectors: Literal["given", "fingerprint", "learned"] = field(
        "learned",
        "hidden vector of each class; given: a table of the user's; fingerprint: of its molecule; learned: with the "
        "autoencoder",
    )
    size: int = field(64, "size of a learned class vector", low=2, high=4096)
    depth: int = field(3, "layers of the decoder, widths in equal steps", low=1, high=32)
    match: float = field(1.0, "weight of the distance between hidden and class vector", low=0.0, high=100.0)
    cosine: float = field(1.0, "weight of 1 - weighted cosine beside the squared error", low=0.0, high=100.0)
    removal: float = field(0.15, "share of the peaks taken from the encoder's inputs", low=0.0, high=0.9)
    specialised: bool = field(False, "give each class a decoder of its own, started from the general one")
    frozen: int = field(2, "last layers of a specialised decoder that stay general", low=0, high=32)
    specialised_steps: int = field(60, "steps a specialised decoder is trained", low=1, high=10000)
    blend: float = field(
        0.0,
        "share of the decoded spectrum in a synthetic one, the rest its source; 0: no autoencoder is trained",
        low=0.0,
        high=1.0,
    )
    jitter: float = field(0.1, "noise on the hidden vector, whose own size is 1", low=0.0, high=10.0)
    transfer: float = field(
        0.9,
        "share of synthetic spectra that take over another training spectrum's mass and intensity limits",
        low=0.0,
        high=1.0,
    )
    tilt: float = field(1.0, "spread of the tilt along log m/z expected of two acquisitions", low=0.0, high=10.0)
    power: float = field(0.3, "spread of the power of all intensities expected of two acquisitions", low=0.0, high=2.0)
    noise: float = field(0.25, "spread of a single peak expected of two acquisitions", low=0.0, high=5.0)
    prior: float = field(
        20.0,
        "classes that the expected spreads weigh as many as, beside those measured in training classes",
        low=0.0,
        high=1e6,
    )
    amount: int = field(8, "synthetic spectra for each training spectrum", low=1, high=1000)
    use: Literal["both", "synthetic", "real"] = field("both", "what the classifier learns from")
    classifier: Literal["random-forest", "network"] = field("random-forest", "what learns from the spectra")
    spectra_per_class: int = field(0, "training spectra of each class that are used; 0: all", low=0, high=10000)


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


def _settings(configuration: Configuration) -> Settings:
    if configuration.program is None:
        raise InputError("synthesis needs the section 'program' of the configuration")
    return Settings(**dict(configuration.program.parameters))  # type: ignore[arg-type] # checked where it was read


def _vectors(task: ProgramTask, settings: Settings) -> NDArray[np.float32] | None:
    if settings.vectors == "learned":
        return None
    name = "vectors" if settings.vectors == "given" else "fingerprints"
    found = task.side.get(name)
    if found is None:
        raise DataError(f"program.vectors is '{settings.vectors}', but no {name} of the classes are given")
    if found.ndim != 2 or found.shape[0] != len(task.class_names):
        raise DataError(f"{name} of the classes have shape {found.shape}, expected ({len(task.class_names)}, D)")
    return found


def _fitted(
    task: ProgramTask, settings: Settings, device: str, on_epoch: OnEpoch | None
) -> tuple[Arrays, NDArray[np.float32], Literal["finished", "stopped", "diverged"], str]:
    """Generator and everything it draws from, by name, the loss of each epoch, and how training ended."""
    from spectrosim_search.learning.acquisition import Variation, learn
    from spectrosim_search.learning.synthesis import Fitted, SynthesisData, specialise
    from spectrosim_search.learning.synthesis import fit as fit_autoencoder

    rows = kept_rows(task.train, task.classes, settings.spectra_per_class)
    spectra, classes = checked(task.spectra[rows]), task.classes[rows]
    data = SynthesisData(spectra, classes, task.axis, len(task.class_names), _vectors(task, settings))
    prior = Variation(settings.tilt, settings.power, settings.noise)
    found = learn(spectra, classes, task.axis, prior, settings.prior)
    fitted = Fitted({}, np.empty(0, np.float32))
    if settings.use != "real" and settings.blend > 0:
        prescribed = _prescribed(settings)
        fitted = fit_autoencoder(data, prescribed, task.configuration, task.seed, device=device, on_epoch=on_epoch)
        if settings.specialised and fitted.status == "finished":
            fitted = specialise(
                fitted, data, prescribed, task.configuration, task.seed, device=device,
                frozen=settings.frozen, steps=settings.specialised_steps,
            )  # fmt: skip
    arrays = {f"generator.{n}": v for n, v in fitted.parameters.items()}
    arrays |= {
        "training.spectra": spectra,
        "training.classes": classes.astype(np.float32),
        "training.class_count": np.array([len(task.class_names)], np.float32),
        "variation": np.array([found.tilt, found.power, found.noise], np.float32),
    }
    return arrays, fitted.loss, fitted.status, fitted.reason


def _prescribed(settings: Settings) -> Prescribed:
    from spectrosim_search.learning.synthesis import Prescribed

    return Prescribed(settings.size, settings.depth, settings.match, settings.cosine, settings.removal)


def _draw(
    configuration: Configuration,
    parameters: Mapping[str, NDArray[np.float32]],
    axis: NDArray[np.float64],
    sources: NDArray[np.int64],
    classes: NDArray[np.int64],
    seed: int,
    device: str = "cpu",
) -> NDArray[np.float32]:
    from spectrosim_search.learning.acquisition import Variation
    from spectrosim_search.learning.synthesis import SynthesisData
    from spectrosim_search.learning.synthesis_drawing import Drawing, draw

    settings = _settings(configuration)
    generator = {n.removeprefix("generator."): v for n, v in parameters.items() if n.startswith("generator.")}
    data = SynthesisData(
        parameters["training.spectra"],
        parameters["training.classes"].astype(np.int64),
        axis,
        int(parameters["training.class_count"][0]),
        generator.get("vectors"),
    )
    tilt, power, noise = (float(v) for v in parameters["variation"])
    drawing = Drawing(settings.blend, settings.jitter, settings.transfer, Variation(tilt, power, noise))
    return draw(generator, data, _prescribed(settings), configuration, drawing, sources, classes, seed, device=device)


def _classifier(
    settings: Settings, parameters: Arrays, made: NDArray[np.float32], classes: NDArray[np.int64], seed: int
) -> Arrays:
    real, own = parameters["training.spectra"], parameters["training.classes"].astype(np.int64)
    parts = {"both": ([real, made], [own, classes]), "synthetic": ([made], [classes]), "real": ([real], [own])}
    x, y = parts[settings.use]
    count = int(parameters["training.class_count"][0])
    return fit_classifier(settings.classifier, np.concatenate(x), np.concatenate(y), count, seed)


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Spectra made from training rows, their classes, and what made them."""

    spectra: NDArray[np.float32]  # (s, L) preprocessed
    classes: NDArray[np.int64]  # (s,)
    parameters: Arrays
    loss: NDArray[np.float32]  # (E,)
    status: Literal["finished", "stopped", "diverged"]
    reason: str


def synthesise(task: ProgramTask, *, device: str = "cpu", on_epoch: OnEpoch | None = None) -> Synthetic:
    """Train the generator on the training rows and make ``amount`` spectra of each; none where training did not end.

    Raises DataError for spectra below 0 and class vectors that are missing or misshapen.
    """
    settings = _settings(task.configuration)
    parameters, loss, status, reason = _fitted(task, settings, device, on_epoch)
    own = parameters["training.classes"].astype(np.int64)
    wanted = settings.amount if status == "finished" and settings.use != "real" else 0
    sources = np.repeat(np.arange(own.size), wanted)
    classes = own[sources]
    made = _draw(task.configuration, parameters, task.axis, sources, classes, task.seed, device)
    return Synthetic(made, classes, parameters, loss, status, reason)


def run(task: ProgramTask, *, device: str = "cpu", on_epoch: OnEpoch | None = None) -> ProgramResult:
    """Make spectra, train the classifier, name the judged rows.

    Metrics: ``novelty`` and ``distinct`` of the synthetic spectra; where ``spectra_per_class`` leaves training rows
    unused, also their likeness to those (:func:`~spectrosim_search.evaluation.generation.generation_metrics`). Raises
    as :func:`synthesise`, and DataError below two classes.
    """
    began, settings = time.perf_counter(), _settings(task.configuration)
    made = synthesise(task, device=device, on_epoch=on_epoch)
    if made.status != "finished":
        nothing = np.full(task.judged.size, -1, np.int64), np.zeros(task.judged.size, np.float32)
        return ProgramResult(made.status, made.reason, *nothing, made.loss, time.perf_counter() - began)
    classifier = _classifier(settings, made.parameters, made.spectra, made.classes, task.seed)
    named = scores(classifier, task.spectra[task.judged])
    seconds = time.perf_counter() - began
    rows = kept_rows(task.train, task.classes, settings.spectra_per_class)
    metrics = _metrics(
        task.configuration, made.spectra, made.classes, task.spectra, task.classes, rows, task.train, task.axis
    )
    predicted = named.argmax(axis=1).astype(np.int64)
    return ProgramResult("finished", "", predicted, named.max(axis=1), made.loss, seconds, metrics)


def _metrics(
    configuration: Configuration,
    made: NDArray[np.float32],
    made_classes: NDArray[np.int64],
    spectra: NDArray[np.float32],
    classes: NDArray[np.int64],
    used: NDArray[np.int64],
    train: NDArray[np.int64],
    axis: NDArray[np.float64],
) -> dict[str, float]:
    """Measures of what was made from the rows `used`, against the other training rows where there are any."""

    def plain(x: NDArray[np.float32]) -> NDArray[np.float64]:
        return intensities(configuration.preprocessing, x)

    some = np.arange(0, made_classes.size, max(1, -(-made_classes.size // _MEASURED)))
    left = np.setdiff1d(train, used)
    return generation_metrics(
        plain(made[some]),
        made_classes[some],
        plain(spectra[used]),
        classes[used],
        axis,
        plain(spectra[left]),
        classes[left],
    )


def fit(task: ProgramTask, *, device: str = "cpu") -> Mapping[str, NDArray[np.float32]]:
    """Return generator, what it draws from and the classifier, by name. Raises DataError where training diverged."""
    made = synthesise(task, device=device)
    if made.status != "finished":
        raise DataError(f"the generator could not be trained: {made.reason}")
    classifier = _classifier(_settings(task.configuration), made.parameters, made.spectra, made.classes, task.seed)
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


def generate(
    configuration: Configuration,
    parameters: Mapping[str, NDArray[np.float32]],
    class_code: int,
    count: int,
    seed: int,
    axis: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Return `count` new spectra ``(count, L)`` of a class, as intensities whose base peak is 1000.

    A class without training spectra is decoded from its vector. Raises InputError for an unknown class and for such a
    class where no autoencoder was trained (``program.blend`` 0).
    """
    total = int(parameters["training.class_count"][0])
    if not 0 <= class_code < total:
        raise InputError(f"there is no class {class_code}; the model knows classes 0 to {total - 1}")
    own = np.flatnonzero(parameters["training.classes"].astype(np.int64) == class_code)
    if not own.size and "generator.vectors" not in parameters:
        raise InputError(f"class {class_code} has no training spectra and the model no decoder (program.blend is 0)")
    sources = own[np.arange(count) % own.size] if own.size else np.full(count, -1, np.int64)
    classes = np.full(count, class_code, np.int64)
    made = intensities(configuration.preprocessing, _draw(configuration, parameters, axis, sources, classes, seed))
    return np.asarray(1000.0 * made / np.maximum(made.max(axis=1, keepdims=True), 1e-12), np.float32)


def baseline(name: str, given: ClassInput, configuration: Configuration) -> ClassOutput:
    """The same classifier on real spectra and as many of a rival generator's.

    Preprocessing, amount, classifier, use and spectra per class are the configuration's. With ``use: synthetic`` it
    learns from the rival's spectra alone (``none`` from the real ones).
    """
    from spectrosim_search.spectra.preprocessing import fit as fit_preprocessing

    settings = _settings(configuration)
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
    classifier = _classifier(replace(settings, use=use), parameters, made.spectra, made.classes, given.training_seed)
    named = scores(classifier, x[given.judged])
    metrics = _metrics(configuration, made.spectra, made.classes, x, given.classes, rows, given.train, axis)
    line = f"{settings.classifier}, {made.classes.size} made beside {rows.size} real spectra"
    return ClassOutput(named.argmax(axis=1).astype(np.int64), named.max(axis=1), line, metrics)
