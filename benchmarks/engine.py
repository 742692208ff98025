"""Speed of a training step, as ratios against the machine's own matrix products in the same run.

    python -m benchmarks.engine [--rounds 30]

For each precision, on one thread: the rate of a step (analytic floating-point operations over its time) against the
rate of the step's own largest product; and the share of a step that is not the network, i.e. data, views, relations,
loss, optimiser and bookkeeping. Pieces are timed in turn and the shortest processor time of each counts, as other
programs on the machine can only lengthen it. A second table trains one replicate of the default small configuration.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Literal

import numpy as np
import torch

from spectrosim_search.config.configuration import Configuration, Optimiser, Positives, Preprocessing, Training
from spectrosim_search.learning.components import resolve, settings_of
from spectrosim_search.learning.engine import single_thread, train_stack
from spectrosim_search.learning.randomness import Stream
from spectrosim_search.learning.stack import Stack
from spectrosim_search.learning.tasks import EvaluationPairs, ReplicateTask, TrainingData

CHANNELS, GROUPS, SIZE, BATCH = 2080, 24, 3, 16
Kind = Literal["fp32", "bf16"]


def configuration(width: int, depth: int, patience: int = 12) -> Configuration:
    return Configuration(
        Preprocessing(),
        resolve("encoders", {"type": "transformer", "width": width, "depth": depth}),
        resolve("heads", {"type": "mlp"}),
        resolve("objectives", {"type": "nt-xent"}),
        tuple(resolve("augmentations", {"type": t}) for t in ("jitter", "scale", "shift")),
        Positives(),
        Optimiser(),
        Training(batch_size=BATCH, patience=patience),
    )


def problem(config: Configuration) -> tuple[ReplicateTask, dict[str, TrainingData]]:
    """Return a task on 24 groups of 3 spectra: 16 groups train, two halves of 4 validate."""
    rng = np.random.default_rng(0)
    codes = np.repeat(np.arange(GROUPS), SIZE)
    centres = rng.normal(size=(GROUPS, 20)) @ rng.normal(size=(20, CHANNELS)) / 4.5
    spectra = (centres[codes] + 3 * rng.normal(size=(codes.size, CHANNELS))).astype(np.float32)
    data = TrainingData(spectra, np.linspace(77.04, 999.32, CHANNELS), codes)

    def pairs(first: int) -> EvaluationPairs:
        rows = np.flatnonzero((codes >= first) & (codes < first + 4))
        i, j = np.triu_indices(rows.size, 1)
        left, right = rows[i], rows[j]
        return EvaluationPairs(left, right, codes[left] == codes[right], np.zeros(left.size, dtype=np.int64))

    halves = (pairs(GROUPS - 8), pairs(GROUPS - 4))
    return ReplicateTask("one", config, 0, "data", np.flatnonzero(codes < GROUPS - 8), halves), {"data": data}


def operations(config: Configuration) -> float:
    """Floating-point operations of one step: the encoder's products forward, twice that backward."""
    s = settings_of("encoders", config.encoder)
    tokens = -(-CHANNELS // s.patch)
    token = 2 * s.patch * s.width + s.depth * (2 * (4 + 2 * s.expansion) * s.width**2 + 4 * tokens * s.width)
    # the patch projection needs no gradient of the spectra
    return 2 * BATCH * tokens * (3 * token - 2 * s.patch * s.width)


def shortest(rounds: int, **pieces: Callable[[], object]) -> dict[str, float]:
    """Time all pieces in turn; return the least processor seconds of each."""
    taken: dict[str, list[float]] = {name: [] for name in pieces}
    for number in range(rounds + 3):
        for name, piece in pieces.items():
            start = time.process_time()
            piece()
            if number >= 3:
                taken[name].append(time.process_time() - start)
    return {name: min(values) for name, values in taken.items()}


def measure(width: int, depth: int, precision: Kind, rounds: int) -> tuple[float, float, float, float]:
    """Return milliseconds a step, GFLOP/s of the step and of the product, and the share that is not the network."""
    config = configuration(width, depth)
    task, data = problem(config)
    stack = Stack([task], data, torch.device("cpu"), precision)
    plan = stack.plan(1)
    x = stack.spectra[plan[0]].repeat(1, 2, 1)
    settings = settings_of("encoders", config.encoder)
    rows = 2 * BATCH * -(-CHANNELS // settings.patch)
    hidden = max(3 * width, round(width * settings.expansion))
    left, right = (torch.randn(*s, dtype=stack.compute) for s in ((rows, width), (width, hidden)))
    leaves = (*stack._encoder.values(), *stack._head.values())

    def network() -> None:
        stream = Stream.at(stack._seeds[:, 0], 0)
        out = stack.model.forward(stack._encoder, stack._head, x, stack.axis, stack.values, stream, stack._constants)
        torch.autograd.grad(out[1].sum(), leaves)

    def epoch() -> None:
        for number, batch in enumerate(stack.plan(1)):
            stack.step(batch, number)

    def product() -> None:
        for _ in range(10):
            torch.mm(left, right)

    found = shortest(rounds, network=network, epoch=epoch, product=product)
    step = found["epoch"] / stack.steps
    rate = 10 * 2 * rows * width * hidden / found["product"]
    return step * 1e3, operations(config) / step / 1e9, rate / 1e9, 1 - found["network"] / step


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="repetitions the shortest time is taken from")
    rounds = parser.parse_args().rounds
    kinds: tuple[Kind, ...] = ("fp32", "bf16")
    print(f"one thread, {CHANNELS} channels, {2 * BATCH} views")
    print("width depth  type  ms/step  GFLOP/s  product  ratio  not network")
    with single_thread():
        for width, depth in ((64, 2), (128, 4)):
            for precision in kinds:
                step, rate, product, share = measure(width, depth, precision, rounds)
                row = f"{width:5} {depth:5} {precision:>5} {step:8.2f} {rate:8.0f} {product:8.0f}"
                print(f"{row} {rate / product:6.2f} {share:12.1%}")
        print("\none replicate, width 64, depth 2, 48 training spectra, batch 16 (processor seconds)")
        for precision in kinds:
            for patience in (12, 100):
                task, data = problem(configuration(64, 2, patience))
                start = time.process_time()
                result = train_stack([task], data, precision=precision)[0]
                seconds = time.process_time() - start
                epochs = len(result.loss)
                training = result.train_seconds / result.total_seconds
                print(f"  {precision}: {seconds:5.2f} s, {epochs} epochs, {training:.0%} of the time in training steps")


if __name__ == "__main__":
    main()
