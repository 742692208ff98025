"""What inference costs: counted, which repeats anywhere, and measured, which is true here and now.

A search that steers by seconds read from a clock asks other questions on a loaded machine, and a study could not repeat
number for number. So :func:`count_inference` runs the model once and counts what each of its operations computes and
moves; :attr:`Workload.milliseconds` turns the counts into the time of a nominal processor core (the roofline of
Williams, Waterman and Patterson 2009, plus a fixed cost an operation, which is what small recurrent models are made
of). It orders models nearly as a clock does: over 15 patch Transformers at 2,080 channels, 1 to 130 ms, the rank
correlation was .99; with ten other jobs on the same two cores it was .97, and the clock said 4 to 10 times as much.
:func:`measure_inference` reads the clock.

Both mean a batch of 64 spectra, preprocessed already, on one thread in float32, from spectra to what similarity
compares; the copy of the parameters into the model is not part of it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import flop_registry

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.engine import embed
from spectrosim_search.learning.model import Model
from spectrosim_search.learning.network import Network
from spectrosim_search.learning.precision import single_thread

__all__ = ["BATCH", "Workload", "count_inference", "gains_in_stack", "measure_inference"]

BATCH = 64  # spectra
FLOPS = 100e9  # nominal core: float32 operations a second in matrix products
BYTES = 20e9  # nominal core: bytes a second read from and written to memory
LONG_ENOUGH = 0.02  # seconds of a timed repetition
STACK_SECONDS = 7e-3  # nominal core, forward pass of a step's two views; docs/benchmarks.md: gains below and above
OPERATION = 5e-6  # nominal core: seconds that any operation takes


@dataclass(frozen=True)
class Workload:
    """Counts of a batch of 64 spectra: operations that compute, float operations of products, bytes moved."""

    operations: int
    flops: int
    bytes: int
    seconds: float  # on the nominal core: each operation bound by its products or by its memory

    @property
    def milliseconds(self) -> float:
        """Time of the batch on the nominal core (100 GFLOP/s, 20 GB/s, 5 µs an operation)."""
        return self.seconds * 1e3


class _Counter(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's __init_subclass__ has no types
    """Adds up what every operation computes and moves; views and empty buffers cost nothing.

    `times`: of how many such batches at once the seconds are, parameters moved as often.
    """

    def __init__(self, times: float = 1.0) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # nor has its constructor
        self._times = times
        self.operations = self.flops = self.bytes = 0
        self.seconds = 0.0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        if func.is_view or func.namespace != "aten":
            return out
        flops = 0
        if func.overloadpacket in flop_registry:
            flops = int(flop_registry[func.overloadpacket](*args, **(kwargs or {}), out_val=out))
        moved = _size(tree_leaves((args, kwargs))) + _size(tree_leaves(out))
        self.operations += 1
        self.flops += flops
        self.bytes += moved
        self.seconds += OPERATION + self._times * max(flops / FLOPS, moved / BYTES)
        return out


def _size(leaves: Iterable[Any]) -> int:
    return sum(leaf.numel() * leaf.element_size() for leaf in leaves if isinstance(leaf, Tensor))


def _inputs(configuration: Configuration, spectra: NDArray[np.float32]) -> tuple[dict[str, Any], NDArray[np.float32]]:
    """Parameters of the right shapes (values cost nothing, so none are drawn) and one batch of spectra."""
    model = Model(configuration, spectra.shape[1])
    members = configuration.training.members
    named = model.named(*model.blank(members, 0.01))
    rows = np.resize(np.arange(spectra.shape[0]), BATCH)
    return {name: (view[0] if members == 1 else view).numpy() for name, view in named.items()}, spectra[rows]


def count_inference(configuration: Configuration, spectra: NDArray[np.float32], axis: NDArray[np.float64]) -> Workload:
    """Count what a batch of 64 spectra costs; `spectra` ``(n ≥ 1, L)`` preprocessed, of which any number serves.

    The same on every machine with the same versions of torch and of this program. Raises what `embed` raises.
    """
    parameters, batch = _inputs(configuration, spectra)
    seen = []
    for batches in (1, 2):  # their difference is free of what is done once
        counter = _Counter()
        with counter:
            embed(configuration, parameters, np.tile(batch, (batches, 1)), axis, batch=BATCH)
        seen.append(counter)
    one, two = seen
    return Workload(
        operations=two.operations - one.operations,
        flops=two.flops - one.flops,
        bytes=two.bytes - one.bytes,
        seconds=two.seconds - one.seconds,
    )


def gains_in_stack(configuration: Configuration, channels: int) -> bool:
    """Whether one processor core trains several replicates faster as one stack than one after the other.

    A step of a small network is bound by the number of its operations, which a stack has no more of. Counted, not
    measured, so that it is the same wherever the versions of torch and of this program are. `channels`: of a
    preprocessed spectrum.
    """
    encoder = configuration.encoder
    parts = {encoder.type, *(str(v) for _, v in encoder.parameters)} & set(registry.names("learning.encoders"))
    if any(getattr(registry.load("learning.encoders", part), "FUSED_ALONE", False) for part in parts):
        return False
    rows = 2 * configuration.training.batch_size
    members = configuration.training.members
    if 2 * Model(configuration, channels).count * members * rows / FLOPS > STACK_SECONDS:  # each is used at least once
        return False
    few = np.zeros((4, channels), dtype=np.float32)  # of the rows: the driver has to wait for this
    axis = np.linspace(1.0, 2.0, channels)
    network = Network(configuration, _inputs(configuration, few)[0], axis, torch.device("cpu"))
    counter = _Counter(rows / len(few))
    with torch.no_grad(), counter:
        network(network.tensor(few))
    return counter.seconds <= STACK_SECONDS


def measure_inference(
    configuration: Configuration,
    spectra: NDArray[np.float32],
    axis: NDArray[np.float64],
    *,
    repetitions: int = 7,
) -> float:
    """Milliseconds a batch of 64 spectra takes on this processor: medians of `repetitions`, one thread, float32, CPU.

    Many batches (some 20 ms of them, 4 to 64) are set against one, so that what is done once drops out. A loaded
    machine shows.
    """
    parameters, batch = _inputs(configuration, spectra)

    def took(x: NDArray[np.float32]) -> float:
        began = time.perf_counter()
        embed(configuration, parameters, x, axis, batch=BATCH)
        return time.perf_counter() - began

    with single_thread():
        took(batch)  # warm-up
        batches = min(64, max(4, round(LONG_ENOUGH / took(batch))))
        many = np.tile(batch, (batches + 1, 1))
        times = [(took(many), took(batch)) for _ in range(repetitions)]
    whole, one = statistics.median(t for t, _ in times), statistics.median(t for _, t in times)
    if whole <= one:  # something else had the processor: all there is to divide is the whole
        return whole / (batches + 1) * 1e3
    return (whole - one) / batches * 1e3
