"""Pretraining without classes, then a classifier fine-tuned on few of them.

The NIR pretext paper's task (Zhao et al., Anal. Methods 17, 1090, 2025): an encoder learns to recognise how its spectra
were transformed, then a classifier is trained on it. A contrastive objective of the zoo, and no pretraining at all, are
settings beside it, so that all of them meet in one search. `training`, `optimiser`, `encoder` and, for the contrastive
pretext, `objective`, `head`, `augmentations` and `positives` are the configuration's own.

Pretraining sees training spectra only, or also the judged ones without their classes where `transductive` asks for it;
the result then carries the metric ``transductive`` 1.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import ConfigurationError, nearest
from spectrosim_search.config.fields import field
from spectrosim_search.search.programs._contract import OnEpoch, ProgramResult, ProgramTask

if TYPE_CHECKING:
    from spectrosim_search.learning.fine_tuning import FineTuning
    from spectrosim_search.learning.pretext import Pretext
    from spectrosim_search.learning.pretraining import Pretrained, Unlabelled
    from spectrosim_search.learning.trunk import Trunk

__all__ = ["BASELINES", "Settings", "baseline", "check", "fit", "predict", "run"]

BASELINES = "baselines.classifiers"

_STAGE = 0x5851F42D4C957F2D  # between the seeds of pretraining and fine-tuning
_KINDS = ("noise", "offset", "multiplication", "horizontal_flip", "vertical_flip", "permutation")


@dataclass(frozen=True)
class Settings:
    """Settings of pretraining and fine-tuning."""

    pretext: Literal["transformations", "contrastive", "none"] = field(
        "transformations",
        "transformations: recognise how a spectrum was changed; contrastive: the configuration's objective; none: the "
        "encoder as it starts",
    )
    noise: bool = field(True, "show spectra with Gaussian noise")
    offset: bool = field(True, "show spectra moved up or down")
    multiplication: bool = field(True, "show spectra multiplied by a factor")
    horizontal_flip: bool = field(True, "show spectra mirrored at their mean")
    vertical_flip: bool = field(True, "show spectra reversed along the axis")
    permutation: bool = field(True, "show spectra with their segments exchanged")
    noise_strength: float = field(
        0.1, "standard deviation of the noise", unit="sd of the training spectra", low=0.0, high=10.0
    )
    offset_strength: float = field(0.1, "largest offset", unit="sd of the training spectra", low=0.0, high=10.0)
    multiplication_strength: float = field(0.1, "the factor lies in 1 ± this", low=0.0, high=0.95)
    segments: int = field(4, "segments that are exchanged", unit="segments", low=2, high=64)
    weight_raw: float = field(1.0, "weight of the head for unchanged spectra", low=0.0, high=100.0)
    weight_noise: float = field(1.0, "weight of the head for noise", low=0.0, high=100.0)
    weight_offset: float = field(1.0, "weight of the head for offsets", low=0.0, high=100.0)
    weight_multiplication: float = field(1.0, "weight of the head for multiplication", low=0.0, high=100.0)
    weight_horizontal_flip: float = field(1.0, "weight of the head for the horizontal flip", low=0.0, high=100.0)
    weight_vertical_flip: float = field(1.0, "weight of the head for the vertical flip", low=0.0, high=100.0)
    weight_permutation: float = field(1.0, "weight of the head for permutation", low=0.0, high=100.0)
    versions: int = field(2, "versions of a spectrum shown in an epoch of pretraining (7: all)", low=1, high=7)
    features: int = field(
        0, "block of the encoder behind which the classifier (and the pretext) reads; 0: the embedding", low=0, high=10
    )
    trainable: Literal["all", "from-block", "last-block", "head"] = field(
        "all", "what fine-tuning changes beside the classifier: every block, those from `from_block` on, the last, none"
    )
    from_block: int = field(2, "first block that fine-tuning changes (trainable from-block)", low=1, high=10)
    epochs: int = field(40, "epochs of fine-tuning; pretraining has those of `training`", low=1, high=10000)
    learning_rate: float = field(1e-3, "peak of fine-tuning's one-cycle schedule", low=1e-6, high=1.0)
    batch_size: int = field(32, "spectra in a batch of fine-tuning", low=2, high=4096)
    hidden: int = field(64, "features of the two hidden layers of classifier and pretext heads", low=2, high=4096)
    dropout: float = field(0.5, "share of those features dropped while training", low=0.0, high=0.9)
    augment: bool = field(False, "fine-tuning sees spectra changed by the configuration's augmentations")
    label_fraction: float = field(
        1.0, "share of the training spectra, class by class, whose class is known", low=0.001, high=1.0
    )
    transductive: bool = field(False, "pretraining also sees the judged spectra, without their classes")


def check(settings: Settings) -> list[str]:
    """Return what contradicts itself."""
    if settings.pretext == "transformations" and not any(getattr(settings, kind) for kind in _KINDS):
        return ["no transformation is left to recognise: switch one on, or set pretext to none"]
    return []


def _settings(configuration: Configuration) -> Settings:
    given = dict(configuration.program.parameters) if configuration.program is not None else {}
    known = {f.name for f in dataclasses.fields(Settings)}
    problems = [f"program pretrain: unknown setting '{key}'{nearest(key, known)}" for key in given if key not in known]
    if problems:
        raise ConfigurationError(problems)
    settings = Settings(**given)  # type: ignore[arg-type]  # values were coerced where the document was read
    if problems := check(settings):
        raise ConfigurationError([f"program pretrain: {p}" for p in problems])
    return settings


def _pretext(settings: Settings) -> Pretext:
    from spectrosim_search.learning.pretext import Pretext

    shown = [(number, kind) for number, kind in enumerate(_KINDS, start=1) if getattr(settings, kind)]
    return Pretext(
        kinds=tuple(number for number, _ in shown),
        weights=(settings.weight_raw, *(float(getattr(settings, f"weight_{kind}")) for _, kind in shown)),
        noise=settings.noise_strength,
        offset=settings.offset_strength,
        multiplication=settings.multiplication_strength,
        segments=settings.segments,
        versions=min(settings.versions, 1 + len(shown)),
    )


def _plan(settings: Settings, trunk: Trunk) -> FineTuning:
    """How to fine-tune. Raises ConfigurationError where the encoder has no such block."""
    from spectrosim_search.learning.fine_tuning import FineTuning

    if settings.trainable == "from-block" and settings.from_block > trunk.depth:
        raise ConfigurationError([f"program.from_block is {settings.from_block}, but {trunk.depth} blocks are read"])
    first = {
        "all": 0,
        "from-block": settings.from_block - 1,
        "last-block": trunk.depth - 1,
        "head": trunk.depth,
    }[settings.trainable]
    return FineTuning(
        first=first,
        epochs=settings.epochs,
        learning_rate=settings.learning_rate,
        batch_size=settings.batch_size,
        hidden=settings.hidden,
        dropout=settings.dropout,
        augment=settings.augment,
    )


@dataclass(frozen=True, eq=False)
class _Trained:
    parameters: dict[str, NDArray[np.float32]]
    loss: list[float]
    labelled: int
    recognition: dict[str, float]
    stopped: str  # when, where it was asked to


def _train(task: ProgramTask, seed: int, device: str, on_epoch: OnEpoch | None) -> _Trained:
    """Train one network. Raises Diverged."""
    from spectrosim_search.learning.engine import device_of
    from spectrosim_search.learning.fine_tuning import fine_tune, stratified_share
    from spectrosim_search.learning.pretraining import Unlabelled
    from spectrosim_search.learning.tasks import TrainingData
    from spectrosim_search.learning.trunk import Trunk

    settings, configuration = _settings(task.configuration), task.configuration
    place = device_of(device)
    trunk = Trunk(configuration.encoder, task.spectra.shape[1], settings.features)
    plan = _plan(settings, trunk)
    share = stratified_share(task.classes[task.train], settings.label_fraction, task.seed)
    labelled = task.train[share]
    codes = np.full(len(task.classes), -1, dtype=np.int64)
    codes[labelled] = task.classes[labelled]
    seen = np.concatenate([task.train, task.judged]) if settings.transductive else task.train
    stopped: list[str] = []
    done = 0

    def stop(epoch: int, loss: float) -> bool:
        asked = on_epoch(done + epoch, loss) if on_epoch is not None else False
        if asked:
            stopped.append(f"stopped on request after epoch {done + epoch}")
        return asked

    known = Unlabelled(np.ascontiguousarray(task.spectra[seen]), task.axis, codes[seen])
    pretrained = _pretrained(settings, configuration, trunk, known, seed, place, stop)
    found = {n: pretrained.encoder[n] for n in (*trunk.parameters(), *trunk.fitted())}
    curve = list(pretrained.loss)
    if stopped:  # no classifier was trained: one step of its schedule, so that there is one
        plan = dataclasses.replace(plan, epochs=1)
    done = len(curve)
    data = TrainingData(np.ascontiguousarray(task.spectra[labelled]), task.axis, codes[labelled])
    # the clock does not depend on how many classes are known: few spectra are seen more often
    steps = math.ceil(len(task.train) / plan.batch_size)
    tensors, tuned = fine_tune(
        configuration, trunk, found, data, len(task.class_names), (seed + _STAGE) % (1 << 63), plan, steps, place, stop
    )
    named = {(n if n.startswith("classifier.") else f"encoder.{n}"): v[0].cpu().numpy() for n, v in tensors.items()}
    return _Trained(named, curve + tuned, labelled.size, pretrained.recognition, stopped[0] if stopped else "")


def _pretrained(
    settings: Settings,
    configuration: Configuration,
    trunk: Trunk,
    known: Unlabelled,
    seed: int,
    device: object,
    stop: OnEpoch,
) -> Pretrained:
    import torch

    from spectrosim_search.learning.pretraining import pretrain_contrastive, pretrain_transformations, untrained

    assert isinstance(device, torch.device)
    if settings.pretext == "none" or configuration.training.epochs == 0:
        return untrained(trunk, known, seed, device)
    if settings.pretext == "contrastive":
        return pretrain_contrastive(configuration, known, seed, device, stop)
    shape = (settings.hidden, settings.dropout)
    return pretrain_transformations(configuration, trunk, known, seed, _pretext(settings), shape, device, stop)


def _members(task: ProgramTask, device: str, on_epoch: OnEpoch | None) -> list[_Trained]:
    from spectrosim_search.learning.precision import single_thread
    from spectrosim_search.learning.stack import member_seed

    with single_thread():
        count = task.configuration.training.members
        return [_train(task, member_seed(task.seed, m), device, on_epoch) for m in range(count)]


def _joined(members: list[_Trained]) -> dict[str, NDArray[np.float32]]:
    """Tensors by name, an ensemble's with its networks in front."""
    if len(members) == 1:
        return members[0].parameters
    return {n: np.stack([m.parameters[n] for m in members]) for n in members[0].parameters}


def run(task: ProgramTask, *, device: str = "cpu", on_epoch: OnEpoch | None = None) -> ProgramResult:
    """Pretrain and fine-tune on the training rows, name the class of every judged row.

    Metrics: ``labelled`` spectra of known class, ``transductive`` 0 or 1, ``recognition`` of versions of the
    pretraining spectra, over all and by kind. The loss of pretraining comes first in `loss`.
    """
    from spectrosim_search.learning.descent import Diverged

    began = time.perf_counter()
    settings = _settings(task.configuration)
    try:
        members = _members(task, device, on_epoch)
    except Diverged as failed:
        usual = np.bincount(task.classes[task.train]).argmax()
        return ProgramResult(
            status="diverged",
            reason=str(failed),
            predicted=np.full(len(task.judged), usual, dtype=np.int64),
            confidence=np.zeros(len(task.judged), dtype=np.float32),
            loss=np.zeros(0, dtype=np.float32),
            train_seconds=time.perf_counter() - began,
        )
    seconds = time.perf_counter() - began
    shares = predict(task.configuration, _joined(members), task.spectra[task.judged], task.axis)
    metrics = {"labelled": float(members[0].labelled), "transductive": float(settings.transductive)}
    for kind in members[0].recognition:
        name = "recognition" if kind == "all" else f"recognition_{kind.replace('-', '_')}"
        metrics[name] = float(np.mean([m.recognition[kind] for m in members]))
    stopped = next((m.stopped for m in members if m.stopped), "")
    shortest = min(len(m.loss) for m in members)
    return ProgramResult(
        status="stopped" if stopped else "finished",
        reason=stopped,
        predicted=shares.argmax(axis=1).astype(np.int64),
        confidence=shares.max(axis=1),
        loss=np.mean([m.loss[:shortest] for m in members], axis=0).astype(np.float32),
        train_seconds=seconds,
        metrics=metrics,
    )


def fit(task: ProgramTask, *, device: str = "cpu") -> Mapping[str, NDArray[np.float32]]:
    """Train as :func:`run`; return ``encoder.…`` and ``classifier.…``, an ensemble's with its networks in front.

    Raises learning's Diverged where training fails.
    """
    return _joined(_members(task, device, None))


def predict(
    configuration: Configuration,
    parameters: Mapping[str, NDArray[np.float32]],
    spectra: NDArray[np.float32],
    axis: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Probabilities of the classes ``(K, C)`` of preprocessed spectra ``(K, L)``, an ensemble's averaged."""
    import torch

    from spectrosim_search.learning.fine_tuning import classify
    from spectrosim_search.learning.precision import single_thread
    from spectrosim_search.learning.trunk import Trunk

    trunk = Trunk(configuration.encoder, spectra.shape[1], _settings(configuration).features)
    count = configuration.training.members
    shares = []
    with single_thread():
        for member in range(count):
            own = {n: v if count == 1 else v[member] for n, v in parameters.items()}
            tensors = {n.removeprefix("encoder."): torch.from_numpy(np.asarray(v)).unsqueeze(0) for n, v in own.items()}
            shares.append(classify(trunk, tensors, spectra, axis))
    return np.asarray(np.mean(shares, axis=0), dtype=np.float32)


def baseline(name: str, given: ClassInput, configuration: Configuration) -> ClassOutput:
    """Fit one classifier of the family on as many labelled spectra as the program gets (`label_fraction`)."""
    from spectrosim_search.learning.fine_tuning import stratified_share

    share = stratified_share(given.classes[given.train], _settings(configuration).label_fraction, given.training_seed)
    less = dataclasses.replace(given, train=given.train[share])
    output: ClassOutput = registry.load(BASELINES, name).fit(less)
    return output
