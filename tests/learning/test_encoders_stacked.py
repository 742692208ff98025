"""Encoders with penalties, draws or recurrences: a step in a stack is the step alone, training repeats and learns."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import embed, single_thread, train_stack
from spectrosim_search.learning.stack import Stack
from tests.learning.problems import configuration, grouped, task

CPU = torch.device("cpu")
KINDS = {
    "moe-transformer": ({"patch": 16, "width": 12, "depth": 1, "heads": 2, "active": 2, "out": 8}, "balance"),
    "ensemble-transformer": ({"patch": 16, "width": 8, "depth": 1, "members": 2, "out": 8}, "dropout"),
    "kan": ({"patch": 8, "width": 8, "out": 8}, "dropout"),
    "mamba": ({"patch": 8, "width": 8, "states": 4, "out": 8}, "dropout"),
    "vae": ({"width": 8, "out": 8}, "divergence"),
}


@pytest.fixture(autouse=True)
def one_thread():
    with single_thread():
        yield


def configured(kind: str, rate: float = 1e-3, **settings: float):
    """A configuration with the encoder `kind`."""
    base = configuration(optimiser={"learning_rate": rate}, training={"epochs": 6})
    return dataclasses.replace(base, encoder=resolve("encoders", {"type": kind, **KINDS[kind][0], **settings}))


@pytest.mark.parametrize(("precision", "tolerance"), [("fp64", 1e-9), ("fp32", 1e-4)])
@pytest.mark.parametrize("kind", KINDS)
def test_a_step_in_a_stack_is_the_step_alone(kind, precision, tolerance):
    data, labels = grouped()
    varied = KINDS[kind][1]
    tasks = [
        task(
            configured(kind, rate, dropout=0.1 * s, **({} if varied == "dropout" else {varied: 0.2 + s})),
            data,
            labels,
            key=str(s),
            seed=s,
        )
        for s, rate in enumerate((1e-3, 1e-2, 3e-4))
    ]
    together = Stack(tasks, {"data": data}, CPU, precision)
    rows = together.plan(1)
    for step in range(2):
        loss, gradient = (t.clone() for t in together.gradient(rows[0], step))
        for place, one in enumerate(tasks):
            alone = Stack([one], {"data": data}, CPU, precision)
            alone.parameters.copy_(together.parameters[place : place + 1])
            own_loss, own_gradient = alone.gradient(alone.plan(1)[0], step)
            assert torch.isfinite(own_gradient).all()
            assert float(own_gradient.abs().max()) > 0
            torch.testing.assert_close(own_loss[0], loss[place], atol=tolerance, rtol=0)
            torch.testing.assert_close(own_gradient[0], gradient[place], atol=tolerance, rtol=tolerance)
        together.step(rows[0], step)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("kind", KINDS)
def test_training_repeats_bit_for_bit_and_learns(kind, precision):
    data, labels = grouped(noise=0.3)
    one = task(configured(kind, rate=5e-3), data, labels, return_parameters=True)
    first, second = (train_stack([one], {"data": data}, precision=precision)[0] for _ in range(2))
    np.testing.assert_array_equal(first.loss, second.loss)
    np.testing.assert_array_equal(first.similarities[0], second.similarities[0])
    assert first.status == "finished"
    assert np.isfinite(first.curve).all()
    assert first.loss[-1] < first.loss[0]
    z = embed(one.configuration, first.parameters, data.spectra, data.axis)
    np.testing.assert_array_equal(z, embed(one.configuration, second.parameters, data.spectra, data.axis))
    assert np.isfinite(z).all()
    assert (z.std(axis=0) > 1e-3).any()


def test_penalties_are_part_of_the_loss():
    data, labels = grouped()
    plain, heavy = (task(configured("vae", reconstruction=w), data, labels) for w in (0.0, 10.0))
    losses = []
    for one in (plain, heavy):
        stack = Stack([one], {"data": data}, CPU, "fp64")
        losses.append(float(stack.loss(stack.plan(1)[0], 0).detach()))
    assert losses[1] > losses[0] + 5
