"""Training one network of the program pretrain: pretext, then classifier, the linear branch beside it or alone.

Runs that differ in fine-tuning alone (labels, blocks, schedule) share one pretraining: a process keeps its latest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._linear import discriminant
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import content_hash
from spectrosim_search.search.programs._contract import OnEpoch, ProgramTask
from spectrosim_search.search.programs._pretrain_settings import KINDS, Settings, settings_of

if TYPE_CHECKING:
    from spectrosim_search.learning.fine_tuning import FineTuning
    from spectrosim_search.learning.pretext import Pretext
    from spectrosim_search.learning.pretraining import Pretrained, Unlabelled
    from spectrosim_search.learning.trunk import Trunk

__all__ = ["Trained", "train"]

_STAGE = 0x5851F42D4C957F2D  # between the seeds of pretraining and fine-tuning
_NEVER = -1e4  # log probability that leaves nothing
_LATER = (
    *("trainable", "from_block", "epochs", "learning_rate", "batch_size", "augment"),
    *("label_fraction", "branch", "branch_axes", "branch_shrinkage", "transductive"),
)  # settings that pretraining does not read; what is seen shows in the spectra
_KEPT = 12  # pretrained encoders at hand: two for each of five folds, and some
_recent: OrderedDict[str, tuple[Pretrained, float]] = OrderedDict()


def _pretext(settings: Settings) -> Pretext:
    from spectrosim_search.learning.pretext import Pretext

    shown = [(number, kind) for number, kind in enumerate(KINDS, start=1) if getattr(settings, kind)]
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
class Trained:
    """One network. `seconds`: what its pretraining took when it was done for another run of this process, else 0."""

    parameters: dict[str, NDArray[np.float32]]
    loss: list[float]
    labelled: int
    recognition: dict[str, float]
    stopped: str  # when, where it was asked to
    seconds: float = 0.0


def train(task: ProgramTask, seed: int, device: str, on_epoch: OnEpoch | None) -> Trained:
    """Train one network, with or without the linear branch, or the branch alone. Raises Diverged."""
    from spectrosim_search.learning.engine import device_of
    from spectrosim_search.learning.fine_tuning import fine_tune
    from spectrosim_search.learning.pretraining import Unlabelled
    from spectrosim_search.learning.tasks import TrainingData
    from spectrosim_search.learning.trunk import Trunk

    settings, configuration = settings_of(task.configuration), task.configuration
    labelled = task.train[task.classes[task.train] >= 0]
    data = TrainingData(np.ascontiguousarray(task.spectra[labelled]), task.axis, task.classes[labelled])
    branch: dict[str, NDArray[np.float32]] = {}
    if settings.branch != "none":
        branch = _branch(data.spectra, data.groups, len(task.class_names), settings)
    if settings.branch == "alone":
        return Trained(branch, [], labelled.size, {}, "")
    place = device_of(device)
    trunk = Trunk(configuration.encoder, task.spectra.shape[1], settings.features)
    plan = _plan(settings, trunk)
    seen = np.concatenate([task.train, task.judged]) if settings.transductive else task.train
    stopped: list[str] = []
    done = 0

    def stop(epoch: int, loss: float) -> bool:
        asked = on_epoch(done + epoch, loss) if on_epoch is not None else False
        if asked:
            stopped.append(f"stopped on request after epoch {done + epoch}")
        return asked

    known = Unlabelled(np.ascontiguousarray(task.spectra[seen]), task.axis, task.classes[seen])
    pretrained, seconds = _shared(settings, configuration, trunk, known, seed, place, stop)
    found = {n: pretrained.encoder[n] for n in (*trunk.parameters(), *trunk.fitted())}
    curve = list(pretrained.loss)
    if stopped:  # no classifier was trained: one step of its schedule, so that there is one
        plan = dataclasses.replace(plan, epochs=1)
    done = len(curve)
    # the clock does not depend on how many classes are known: few spectra are seen more often
    steps = math.ceil(len(task.train) / plan.batch_size)
    tensors, tuned = fine_tune(
        configuration, trunk, found, data, len(task.class_names), (seed + _STAGE) % (1 << 63), plan, steps, place, stop
    )
    named = {(n if n.startswith("classifier.") else f"encoder.{n}"): v[0].cpu().numpy() for n, v in tensors.items()}
    asked = stopped[0] if stopped else ""
    return Trained(named | branch, curve + tuned, labelled.size, pretrained.recognition, asked, seconds)


def _branch(
    x: NDArray[np.float32], y: NDArray[np.int64], classes: int, settings: Settings
) -> dict[str, NDArray[np.float32]]:
    """Weights ``(L, C)`` and offsets ``(C,)`` of the log probabilities of a linear discriminant analysis."""
    weight = np.zeros((x.shape[1], classes), dtype=np.float32)
    bias = np.full(classes, _NEVER, dtype=np.float32)  # a class without a labelled spectrum
    present = np.unique(y)
    if present.size < 2:
        bias[present] = 0.0
    else:
        wide, axes, shrinkage = x.astype(np.float64), settings.branch_axes, settings.branch_shrinkage
        weight[:, present], bias[present] = discriminant(wide, y, axes, shrinkage)
    return {"branch.weight": weight, "branch.bias": bias}


def _shared(
    settings: Settings,
    configuration: Configuration,
    trunk: Trunk,
    known: Unlabelled,
    seed: int,
    device: object,
    stop: OnEpoch,
) -> tuple[Pretrained, float]:
    """A pretrained encoder, and the seconds it took where an earlier run of this process has done it already.

    Told apart by everything that pretraining reads: settings, spectra, what the encoder fits, seed and device, and for
    a contrastive pretext, whose positives may be of one class, the classes that are known.
    """
    if settings.pretext == "none" or configuration.training.epochs == 0:
        return _pretrained(settings, configuration, trunk, known, seed, device, stop), 0.0
    own = {f.name: getattr(settings, f.name) for f in dataclasses.fields(settings) if f.name not in _LATER}
    data = hashlib.sha256(known.spectra.tobytes() + known.axis.tobytes())
    for name, value in sorted(trunk.fit(known.fitting()).items()):
        data.update(name.encode() + value.numpy().tobytes())
    if settings.pretext == "contrastive":
        data.update(known.groups.tobytes())
    alone = dataclasses.replace(configuration, program=None)
    key = content_hash([alone.identity, own, data.hexdigest(), list(known.spectra.shape), seed, str(device)])
    if key in _recent:
        _recent.move_to_end(key)
        pretrained, seconds = _recent[key]
        for epoch, loss in enumerate(pretrained.loss, start=1):
            if stop(epoch, loss):
                break
        return pretrained, seconds
    asked: list[bool] = []

    def heard(epoch: int, loss: float) -> bool:
        asked.append(stop(epoch, loss))
        return asked[-1]

    begun = time.perf_counter()
    pretrained = _pretrained(settings, configuration, trunk, known, seed, device, heard)
    if not any(asked):  # what was stopped is not finished
        _recent[key] = pretrained, time.perf_counter() - begun
        while len(_recent) > _KEPT:
            _recent.popitem(last=False)
    return pretrained, 0.0


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
