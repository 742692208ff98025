"""Pretraining without classes, then a classifier fine-tuned on few of them.

The NIR pretext paper's task (Zhao et al., Anal. Methods 17, 1090, 2025): an encoder learns to recognise how its spectra
were transformed, then a classifier is trained on it. A contrastive objective of the zoo, and no pretraining at all, are
settings beside it, so that all of them meet in one search. `training`, `optimiser`, `encoder` and, for the contrastive
pretext, `objective`, `head`, `augmentations` and `positives` are the configuration's own.

Pretraining sees training spectra only, or also the judged ones without their classes where `transductive` asks for it;
the result then carries the metric ``transductive`` 1.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Component, Configuration
from spectrosim_search.config.errors import ConfigurationError, RunError
from spectrosim_search.search.programs._contract import OnEpoch, ProgramResult, ProgramTask
from spectrosim_search.search.programs._pretrain_settings import Settings, check, settings_of
from spectrosim_search.search.programs._pretrain_training import Trained, train

__all__ = [
    "BASELINES",
    "REFERENCES",
    "Settings",
    "baseline",
    "check",
    "counterpart",
    "fit",
    "label_share",
    "predict",
    "run",
    "trains_encoder",
]

BASELINES = "baselines.classifiers"
REFERENCES = ("majority", "lda", "knn", "plsda", "svm", "random-forest", "elm", "bpnn", "logistic-regression")


def _members(task: ProgramTask, device: str, on_epoch: OnEpoch | None) -> list[Trained]:
    from spectrosim_search.learning.precision import single_thread
    from spectrosim_search.learning.stack import member_seed

    with single_thread():
        count = task.configuration.training.members
        return [train(task, member_seed(task.seed, m), device, on_epoch) for m in range(count)]


def _joined(members: list[Trained]) -> dict[str, NDArray[np.float32]]:
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
    settings = settings_of(task.configuration)
    try:
        members = _members(task, device, on_epoch)
    except Diverged as failed:
        usual = np.bincount(task.classes[task.classes >= 0]).argmax()
        return ProgramResult(
            status="diverged",
            reason=str(failed),
            predicted=np.full(len(task.judged), usual, dtype=np.int64),
            confidence=np.zeros(len(task.judged), dtype=np.float32),
            loss=np.zeros(0, dtype=np.float32),
            train_seconds=time.perf_counter() - began,
        )
    seconds = time.perf_counter() - began + sum(m.seconds for m in members)
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
    """Train as :func:`run`; return ``encoder.…``, ``classifier.…`` and, with a branch, ``branch.weight`` and
    ``branch.bias``, the branch alone where nothing else answers; an ensemble's with its networks in front.

    Raises RunError where training diverged.
    """
    from spectrosim_search.learning.descent import Diverged

    try:
        return _joined(_members(task, device, None))
    except Diverged as failed:
        raise RunError(f"training diverged ({failed}): lower the learning rate or scale the spectra") from failed


def predict(
    configuration: Configuration,
    parameters: Mapping[str, NDArray[np.float32]],
    spectra: NDArray[np.float32],
    axis: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Probabilities of the classes ``(K, C)`` of preprocessed spectra ``(K, L)``, an ensemble's averaged."""
    import torch
    from scipy.special import softmax

    from spectrosim_search.learning.fine_tuning import classify
    from spectrosim_search.learning.precision import single_thread
    from spectrosim_search.learning.trunk import Trunk

    settings, count = settings_of(configuration), configuration.training.members
    trunk = None if settings.branch == "alone" else Trunk(configuration.encoder, spectra.shape[1], settings.features)
    shares = []
    with single_thread():
        for member in range(count):
            own = {n: v if count == 1 else v[member] for n, v in parameters.items()}
            weight, bias = own.pop("branch.weight", None), own.pop("branch.bias", None)
            answers = []
            if trunk is not None:
                tensors = {n.removeprefix("encoder."): torch.from_numpy(np.asarray(v)) for n, v in own.items()}
                answers.append(classify(trunk, {n: v.unsqueeze(0) for n, v in tensors.items()}, spectra, axis))
            if weight is not None and bias is not None:
                answers.append(softmax(spectra.astype(np.float64) @ weight + bias, axis=1))
            shares.append(np.mean(answers, axis=0))
    return np.asarray(np.mean(shares, axis=0), dtype=np.float32)


def label_share(configuration: Configuration) -> float:
    """Share of the training spectra whose class is known."""
    return settings_of(configuration).label_fraction


def trains_encoder(configuration: Configuration) -> bool:
    """Whether a network answers at all."""
    return settings_of(configuration).branch != "alone"


def counterpart(configuration: Configuration) -> tuple[str, Configuration] | None:
    """The same without pretraining; of a configuration without, the same after recognising transformations.

    None where it names no transformation to recognise, and where no network is trained.
    """
    assert configuration.program is not None
    if not trains_encoder(configuration):
        return None
    off = settings_of(configuration).pretext != "none"
    changed = {**dict(configuration.program.parameters), "pretext": "none" if off else "transformations"}
    other = replace(configuration, program=Component.of(configuration.program.type, **changed))
    try:
        settings_of(other)
    except ConfigurationError:
        return None
    return "The same without pretraining" if off else "The same, pretrained by transformations", other


def baseline(name: str, given: ClassInput, configuration: Configuration) -> ClassOutput:
    """Fit one classifier of the family. It reads what every other does: the configuration has no say."""
    del configuration
    output: ClassOutput = registry.load(BASELINES, name).fit(given)
    return output
