"""The training engine's front door: replicates trained in stacks, spectra embedded, parameters counted."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.learning.components import stack_key
from spectrosim_search.learning.model import Model
from spectrosim_search.learning.network import Network
from spectrosim_search.learning.precision import Precision, single_thread
from spectrosim_search.learning.stack import Stack, steps_of
from spectrosim_search.learning.tasks import ReplicateResult, ReplicateTask, TrainingData
from spectrosim_search.learning.training import Run

__all__ = ["device_of", "embed", "parameter_count", "single_thread", "train_stack"]

OnEpoch = Callable[[str, int, float], bool]


def train_stack(
    tasks: Sequence[ReplicateTask],
    data: Mapping[str, TrainingData],
    *,
    device: str = "cpu",
    precision: Precision = "auto",
    on_epoch: OnEpoch | None = None,
) -> list[ReplicateResult]:
    """Train replicates of one architecture; return their results in the order of the tasks.

    All tasks share :func:`~spectrosim_search.learning.components.stack_key`. Those whose epochs have another number of
    steps are trained as a stack of their own, so that no clock depends on neighbours. `precision` other than
    "auto" overrides the configurations'. `on_epoch(key, epoch, score)` is called after each epoch with the mean of the
    two halves' scores (without halves: the mean training loss) and returns True to stop that replicate. A GPU that runs
    out of memory gets half the stack at a time; replicates then start again, and `on_epoch` sees their epochs again.

    Raises InputError for an unknown device and ConfigurationError for tasks that cannot share a stack.
    """
    place = device_of(device)
    keys = {stack_key(t.configuration, data[t.data].spectra.shape[1]) for t in tasks}
    if len(keys) > 1:
        raise ConfigurationError([f"{len(keys)} architectures in one stack: group tasks by stack_key first"])
    results: dict[int, ReplicateResult] = {}
    alike: dict[tuple[int, bool], list[int]] = {}
    for index, task in enumerate(tasks):
        alike.setdefault((steps_of(task), task.halves is None), []).append(index)
    for members in alike.values():
        own = tasks[members[0]].configuration.training.precision if precision == "auto" else precision
        results |= dict(zip(members, _train([tasks[i] for i in members], data, place, own, on_epoch)))
    return [results[i] for i in range(len(tasks))]


def _train(
    tasks: list[ReplicateTask],
    data: Mapping[str, TrainingData],
    device: torch.device,
    precision: Precision,
    on_epoch: OnEpoch | None,
) -> list[ReplicateResult]:
    """Train one stack, in two halves where a GPU's memory does not hold it."""
    began = time.perf_counter()
    try:
        return Run(Stack(tasks, data, device, precision), on_epoch, began).results()
    except torch.OutOfMemoryError:
        if len(tasks) == 1:
            return [_without_memory(tasks[0], time.perf_counter() - began)]
    torch.cuda.empty_cache()
    middle = len(tasks) // 2
    return [r for part in (tasks[:middle], tasks[middle:]) for r in _train(part, data, device, precision, on_epoch)]


def _without_memory(task: ReplicateTask, seconds: float) -> ReplicateResult:
    parts = task.halves if task.halves is not None else (() if task.test is None else (task.test,))
    zeros = tuple(np.zeros(p.left.shape[0], dtype=np.float32) for p in parts)
    return ReplicateResult(
        key=task.key,
        status="diverged",
        reason="the GPU's memory does not hold one replicate; use a smaller batch or encoder",
        curve=np.zeros((0, 2), dtype=np.float32),
        loss=np.zeros(0, dtype=np.float32),
        chosen_epochs=(0, 0),
        similarities=zeros,
        choosing=zeros[::-1] if task.halves is not None else (),
        train_seconds=seconds,
        total_seconds=seconds,
        embedding_rank=float("nan"),
    )


def embed(
    configuration: Configuration,
    parameters: Mapping[str, NDArray[np.float32]],
    spectra: NDArray[np.float32],
    axis: NDArray[np.float64],
    *,
    device: str = "cpu",
    precision: Precision = "fp32",
    batch: int = 256,
) -> NDArray[np.float32]:
    """Return what similarity compares, float32 ``(N, D)``, for preprocessed spectra ``(N, L)``.

    `parameters` as :class:`~spectrosim_search.learning.tasks.ReplicateResult` gives them: without a replicate axis, an
    ensemble's with its networks in front; D is then the sum of theirs. Compared by cosine, or rows of
    :mod:`spectrosim_search.learning.comparison` where the configuration says so.
    Raises InputError where they do not fit the configuration and the number of channels.
    """
    network = Network(configuration, parameters, axis, device_of(device), precision)
    with torch.no_grad():
        starts = range(0, max(1, spectra.shape[0]), batch)  # no spectra: the sizes of an empty answer come from a row
        filled = spectra if spectra.shape[0] else np.zeros((1, spectra.shape[1]), dtype=np.float32)
        pieces = [network(network.tensor(filled[at : at + batch])).cpu().numpy() for at in starts]
    return np.concatenate(pieces)[: spectra.shape[0]]


def parameter_count(configuration: Configuration, length: int) -> int:
    """Return the number of values of a model for spectra of `length` channels, over all networks of an ensemble."""
    return Model(configuration, length).count * configuration.training.members


def device_of(name: str) -> torch.device:
    """Return the device of that name. Raises InputError for any but cpu and a GPU of CUDA that is there."""
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(f"unknown device '{name}': use cpu, cuda or cuda:N") from error
    if device.type not in ("cpu", "cuda"):
        raise InputError(f"device '{name}' is none that is computed on: use cpu, cuda or cuda:N")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise InputError(
            f"device '{name}' asked for, but no GPU is there: use --device cpu or install a CUDA build of torch"
        )
    if device.type == "cuda" and (device.index or 0) >= (count := torch.cuda.device_count()):
        there = "is 1 GPU" if count == 1 else f"are {count} GPUs"
        raise InputError(f"device '{name}' asked for, but there {there}: use a number below {count}")
    return device
