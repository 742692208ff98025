"""Identification: an encoder trained so that spectra of a class lie close, and a gallery that names the class.

The triplet-spectra paper's task (Vorozhtsov and Kitina, Mendeleev Commun. 2024, doi:10.1016/j.mencom.2024.10.006).
Encoder, head, objective, augmentations, positives, optimiser and training are the configuration's own: any objective of
the zoo learns from classes as groups. The gallery holds the embeddings of the training spectra; :func:`enrol` adds
spectra, of new classes too, without training. With `reject` some spectra of every class are kept from training and set
the confidence below which a spectrum is of no known class. With `mixing` mixtures of training spectra say how sums of
classes lie in the embedding (:mod:`spectrosim_search.evaluation.mixing`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers import ClassInput, ClassOutput
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import ConfigurationError, InputError, RunError, nearest
from spectrosim_search.config.fields import field
from spectrosim_search.evaluation.identification import Gallery, rejection_threshold
from spectrosim_search.evaluation.mixing import PER_CLASS, Mixing, fit_mixing, practised
from spectrosim_search.evaluation.mixtures import name_components
from spectrosim_search.search.programs._contract import OnEpoch, ProgramResult, ProgramTask

__all__ = [
    "BASELINES",
    "REFERENCES",
    "Settings",
    "baseline",
    "components",
    "embed",
    "enrol",
    "fit",
    "gallery",
    "known",
    "predict",
    "run",
]

BASELINES = "baselines.classifiers"
REFERENCES = ("nearest-cosine", "nearest-linear-metric")

_NETWORK = "network."
_PARTS, _WHITENING = "mixing.parts", "mixing.whitening"
_CALIBRATION = 0x1DE  # stream of the spectra kept from training
_MIXING = 0x313  # stream of the mixtures of training spectra
Parameters = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Settings:
    """How the gallery is read."""

    readout: Literal["centroid", "nearest"] = field(
        "centroid", "centroid: nearest class centre; nearest: class of the nearest gallery spectra"
    )
    neighbours: int = field(
        1, "gallery spectra of a class whose mean similarity counts (readout nearest)", low=1, high=100
    )
    reject: float = field(
        0.0,
        "share of spectra of known classes that may be rejected as unknown; 0: nothing is rejected",
        low=0.0,
        high=0.5,
    )
    calibration: float = field(
        0.2,
        "share of each class's training spectra that training does not see, to set the threshold (with reject)",
        low=0.02,
        high=0.5,
    )
    mixing: int = field(
        PER_CLASS,
        "mixtures of 2, of 3 and of 4 training spectra for each class (5,000 of each at most), from which it is learnt "
        "what a class adds to the embedding of a mixture; 0: components are named by sums of class centres",
        low=0,
        high=1000,
    )


def _settings(configuration: Configuration) -> Settings:
    given = dict(configuration.program.parameters) if configuration.program is not None else {}
    names = [f.name for f in dataclasses.fields(Settings)]
    problems = [f"program identify: unknown setting '{key}'{nearest(key, names)}" for key in given if key not in names]
    if problems:
        raise ConfigurationError(problems)
    return Settings(**given)  # type: ignore[arg-type]  # values were checked where the document was read


def _set_aside(task: ProgramTask, settings: Settings) -> NDArray[np.bool_]:
    """Which training rows ``(n,)`` calibrate: a share of each class, at least one where two others are left."""
    out = np.zeros(task.train.size, dtype=np.bool_)
    if not settings.reject:
        return out
    classes = task.classes[task.train]
    key = np.random.default_rng([task.seed, _CALIBRATION]).random(classes.size)
    for code in np.unique(classes):
        own = np.flatnonzero(classes == code)
        count = min(max(1, round(settings.calibration * own.size)), own.size - 2)
        out[own[np.argsort(key[own], kind="stable")[: max(0, count)]]] = True
    return out


@dataclass(frozen=True, eq=False)
class _Trained:
    parameters: dict[str, NDArray[np.float32]]
    status: Literal["finished", "stopped", "diverged"]
    reason: str
    loss: NDArray[np.float32]
    seconds: float
    rank: float


def _train(task: ProgramTask, device: str, on_epoch: OnEpoch | None) -> _Trained:
    from spectrosim_search.learning.engine import train_stack
    from spectrosim_search.learning.tasks import ReplicateTask, TrainingData

    settings = _settings(task.configuration)
    aside = _set_aside(task, settings)
    data = TrainingData(task.spectra, task.axis, task.classes)
    replicate = ReplicateTask(
        task.key, task.configuration, task.seed, "data", task.train[~aside], None, return_parameters=True
    )

    def told(key: str, epoch: int, loss: float) -> bool:
        return on_epoch is not None and on_epoch(epoch, loss)

    done = train_stack([replicate], {"data": data}, device=device, on_epoch=told)[0]
    parameters = {_NETWORK + name: value for name, value in done.parameters.items()}
    if done.status != "diverged":
        z = embed(task.configuration, parameters, task.spectra[task.train], task.axis, device=device)
        codes = task.classes[task.train]
        if settings.reject:
            parameters["threshold"] = _threshold(Gallery(z[~aside], codes[~aside]), z[aside], settings)
        parameters |= _stored(Gallery(z, codes))
    return _Trained(parameters, done.status, done.reason, done.loss, done.train_seconds, done.embedding_rank)


def _threshold(known: Gallery, held_out: NDArray[np.float32], settings: Settings) -> NDArray[np.float32]:
    """The confidence below which a spectrum is rejected ``(1,)``. Raises InputError where none was set aside."""
    if not held_out.shape[0]:
        raise InputError("program.reject needs a class with three training spectra or more to calibrate on")
    confidence = known.scores(held_out, settings.readout, settings.neighbours).max(axis=1)
    return np.array([rejection_threshold(confidence, 1 - settings.reject)], dtype=np.float32)


def _stored(known_spectra: Gallery) -> dict[str, NDArray[np.float32]]:
    return {
        "gallery.embeddings": known_spectra.embeddings,
        "gallery.classes": known_spectra.classes.astype(np.float32),  # whole numbers below 2^24 are exact
    }


def gallery(parameters: Parameters) -> Gallery:
    """The gallery of a fitted model."""
    return Gallery(parameters["gallery.embeddings"], parameters["gallery.classes"].astype(np.int64))


def _learnt_mixing(
    task: ProgramTask, parameters: Parameters, settings: Settings, device: str
) -> dict[str, NDArray[np.float32]]:
    """What mixtures of the labelled training spectra teach; nothing without them, or of a single class."""
    known, mix = gallery(parameters), task.mix
    if not settings.mixing or mix is None or known.count < 2:
        return {}
    rows = task.train[task.classes[task.train] >= 0]

    def embedded(places: NDArray[np.int64]) -> NDArray[np.float32]:
        return embed(task.configuration, parameters, mix(rows[places]), task.axis, device=device)

    drawn = practised(task.classes[rows], settings.mixing, task.seed ^ _MIXING, embedded)
    return _kept(fit_mixing(drawn, known.centroids))


def _kept(mixing: Mixing) -> dict[str, NDArray[np.float32]]:
    return {_PARTS: mixing.parts} | ({} if mixing.whitening is None else {_WHITENING: mixing.whitening})


def _mixing(parameters: Parameters) -> Mixing | None:
    return Mixing(parameters[_PARTS], parameters.get(_WHITENING)) if _PARTS in parameters else None


def components(
    parameters: Parameters, z: NDArray[np.float32], order: int
) -> tuple[list[NDArray[np.int64]], list[NDArray[np.float64]]]:
    """Best sets of 1, 2, … `order` classes for embedded mixtures ``(q, D)``: ``(q, k)`` each, and scores ``(q,)``.

    Raises InputError where there are fewer classes than `order`.
    """
    mixing = _mixing(parameters)
    if mixing is None:
        return name_components(z, gallery(parameters).centroids, order)
    return mixing.name_components(z, order)


def embed(
    configuration: Configuration,
    parameters: Parameters,
    spectra: NDArray[np.float32],
    axis: NDArray[np.float64],
    *,
    device: str = "cpu",
) -> NDArray[np.float32]:
    """Embed preprocessed spectra ``(K, L)`` as a fitted model does: ``(K, D)``."""
    from spectrosim_search.learning.engine import embed as embedded

    network = {name.removeprefix(_NETWORK): v for name, v in parameters.items() if name.startswith(_NETWORK)}
    return embedded(configuration, network, spectra, axis, device=device)


def enrol(
    configuration: Configuration,
    parameters: Parameters,
    spectra: NDArray[np.float32],
    axis: NDArray[np.float64],
    classes: NDArray[np.int64],
) -> dict[str, NDArray[np.float32]]:
    """Return the parameters with further spectra ``(K, L)`` in the gallery; nothing is trained.

    classes ``(K,)``: codes of known classes, or new ones, numbered on from the gallery's count. A threshold stays as
    it was. Raises InputError where a code is skipped.
    """
    larger = gallery(parameters).extended(embed(configuration, parameters, spectra, axis), classes)
    mixing = _mixing(parameters)
    more = {} if mixing is None else _kept(mixing.extended(larger.centroids))
    return {**parameters, **_stored(larger), **more}


def run(task: ProgramTask, *, device: str = "cpu", on_epoch: OnEpoch | None = None) -> ProgramResult:
    """Train on the training rows and name the class of every judged row, and of mixtures the classes of all parts.

    `metrics`: ``embedding_rank``, effective rank of training embeddings (collapse shows as 1); with `reject` also
    ``threshold`` and ``rejected``, the share of judged spectra below it.
    """
    settings = _settings(task.configuration)
    trained = _train(task, device, on_epoch)
    metrics = {"embedding_rank": trained.rank}
    named: dict[int, NDArray[np.int64]] = {}
    if trained.status == "diverged":
        predicted = np.zeros(task.judged.size, dtype=np.int64)
        confidence = np.zeros(task.judged.size, dtype=np.float32)
    else:
        z = embed(task.configuration, trained.parameters, task.spectra[task.judged], task.axis, device=device)
        scores = gallery(trained.parameters).scores(z, settings.readout, settings.neighbours)
        predicted, confidence = scores.argmax(axis=1), scores.max(axis=1)
        learnt = dict(trained.parameters)
        if task.mixtures:
            learnt |= _learnt_mixing(task, learnt, settings, device)
        for order, mixtures in task.mixtures.items():
            z = embed(task.configuration, learnt, mixtures, task.axis, device=device)
            named[order] = components(learnt, z, order)[0][-1]
        if settings.reject:
            accepted = known(trained.parameters, scores)
            metrics |= {"threshold": float(trained.parameters["threshold"][0]), "rejected": float((~accepted).mean())}
    return ProgramResult(
        status=trained.status,
        reason=trained.reason,
        predicted=predicted,
        confidence=confidence,
        loss=trained.loss,
        train_seconds=trained.seconds,
        metrics=metrics,
        components=named,
    )


def fit(task: ProgramTask, *, device: str = "cpu") -> Parameters:
    """Train as :func:`run`: tensors of the network as ``network.*``, ``gallery.embeddings`` ``(n, D)``,
    ``gallery.classes`` ``(n,)``, with `reject` ``threshold`` ``(1,)``, and where training spectra can be mixed
    ``mixing.parts`` ``(C, D)`` and, of enough mixtures, ``mixing.whitening`` ``(D, D)``.

    Raises RunError where training diverged.
    """
    trained = _train(task, device, None)
    if trained.status == "diverged":
        raise RunError(f"training diverged ({trained.reason}): lower the learning rate or scale the spectra")
    learnt = _learnt_mixing(task, trained.parameters, _settings(task.configuration), device)
    return {**trained.parameters, **learnt}


def predict(
    configuration: Configuration, parameters: Parameters, spectra: NDArray[np.float32], axis: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the similarity of preprocessed spectra ``(K, L)`` to every class of the gallery ``(K, C)``."""
    settings = _settings(configuration)
    z = embed(configuration, parameters, spectra, axis)
    return gallery(parameters).scores(z, settings.readout, settings.neighbours)


def known(parameters: Parameters, scores: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which spectra, by their scores ``(K, C)``, belong to a known class; all of them where nothing is rejected."""
    threshold = parameters["threshold"][0] if "threshold" in parameters else -np.inf
    return np.asarray(scores.max(axis=1) >= threshold)


def baseline(name: str, given: ClassInput, configuration: Configuration) -> ClassOutput:
    """Fit one reference row; it preprocesses by itself."""
    del configuration
    found: ClassOutput = registry.load(BASELINES, name).fit(given)
    return found
