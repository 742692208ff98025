"""What inference costs: counts that can be worked out by hand, and that repeat; a clock that grows with them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import embed
from spectrosim_search.learning.model import Model
from spectrosim_search.learning.workload import BATCH, Workload, count_inference, gains_in_stack, measure_inference
from tests.learning.problems import configuration

LENGTH = 96
AXIS = np.linspace(77.0, 999.0, LENGTH)


def spectra(count: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, LENGTH)).astype(np.float32)


def test_products_are_those_that_torch_counts() -> None:
    c = configuration()
    model = Model(c, LENGTH)
    named = {n: v[0].numpy() for n, v in model.named(*model.blank(1)).items()}
    with FlopCounterMode(display=False) as counter:
        embed(c, named, np.resize(spectra(), (BATCH, LENGTH)), AXIS, batch=BATCH)
    assert count_inference(c, spectra(), AXIS).flops == counter.get_total_flops() > 0


def test_a_head_adds_its_own_products() -> None:
    """A linear head is one product: 2 × 64 spectra × inputs × outputs."""
    narrow = count_inference(configuration(head={"type": "linear", "out": 8}), spectra(), AXIS)
    wide = count_inference(configuration(head={"type": "linear", "out": 24}), spectra(), AXIS)
    assert wide.flops - narrow.flops == 2 * BATCH * 16 * (24 - 8)
    assert wide.operations == narrow.operations
    assert wide.bytes > narrow.bytes


def test_counts_repeat_and_do_not_see_intensities_or_their_number() -> None:
    c = configuration()
    first = count_inference(c, spectra(), AXIS)
    assert isinstance(first, Workload)
    assert count_inference(c, spectra(), AXIS) == first
    assert count_inference(c, spectra(1, seed=3) * 1e6, AXIS) == first
    assert count_inference(c, spectra(100, seed=4), AXIS) == first
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert count_inference(c, spectra(), AXIS) == first
    finally:
        torch.set_num_threads(threads)


@pytest.mark.parametrize("change", [{"width": 64}, {"depth": 4}, {"patch": 4}])
def test_larger_models_cost_more(change: dict[str, int]) -> None:
    small = count_inference(configuration(), spectra(), AXIS)
    large = count_inference(configuration(encoder=change), spectra(), AXIS)
    assert large.milliseconds > small.milliseconds > 0
    assert large.flops > small.flops


def test_the_clock_agrees_on_what_is_much_slower() -> None:
    small = measure_inference(configuration(), spectra(), AXIS, repetitions=5)
    large = measure_inference(configuration(encoder={"width": 64, "depth": 4, "patch": 4}), spectra(), AXIS)
    assert large > small > 0


@pytest.mark.parametrize(
    ("encoder", "gains"),
    [
        ({"type": "whitened", "components": 20}, True),
        ({"type": "whitened", "components": 20, "branch": "mlp"}, True),
        ({"type": "whitened", "components": 20, "branch": "lstm"}, False),
        ({"type": "kan"}, True),
        ({"type": "transformer", "patch": 104, "width": 64, "depth": 1, "heads": 4}, True),
        ({"type": "transformer", "patch": 32, "width": 256, "depth": 2, "heads": 4}, False),
        ({"type": "resnet", "width": 128}, False),
        ({"type": "lstm"}, False),
        ({"type": "r-cnn"}, False),
    ],
)
def test_small_networks_gain_in_a_stack(encoder: dict[str, str | int], gains: bool) -> None:
    assert gains_in_stack(replace(configuration(), encoder=resolve("encoders", encoder)), 2080) is gains


def test_members_and_batches_count() -> None:
    small = {"type": "transformer", "patch": 104, "width": 64, "depth": 1, "heads": 4}
    for training in ({"members": 20}, {"batch_size": 512}):
        assert not gains_in_stack(configuration(encoder=small, training=training), 2080)
