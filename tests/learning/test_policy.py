"""All augmentations at work in the engine, and how many of them at once."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning.components import stack_key
from spectrosim_search.learning.engine import single_thread, train_stack
from spectrosim_search.learning.randomness import RowStream, Stream
from spectrosim_search.learning.stack import Stack
from spectrosim_search.learning.views import _POLICY_USE, _USES_EACH, Scene
from tests.learning.problems import configuration, grouped, task

CPU = torch.device("cpu")
KINDS = registry.names("learning.augmentations")


@pytest.fixture(autouse=True)
def one_thread():
    with single_thread():
        yield


def policies(source: str) -> list[Configuration]:
    """Three configurations of one stack with every kind on."""
    return [
        configuration(
            augmentations={k: {"probability": p} for k in KINDS},
            positives={"source": source},
            training={"augmentations_at_once": n},
        )
        for p, n in ((0.6, 0), (1.0, 2), (0.3, 1))
    ]


def two_sets():
    """Other spectra on another axis, some relations unknown."""
    first, labels = grouped(seed=0)
    second, _ = grouped(seed=1)
    relation = np.where(np.equal.outer(second.groups, second.groups), 1, 0).astype(np.int8)
    relation[:2] = relation[:, :2] = -1
    np.fill_diagonal(relation, 1)
    axis = np.logspace(2, 3, second.axis.size)
    return {"data": first, "other": dataclasses.replace(second, relation=relation, axis=axis)}, labels


@pytest.mark.parametrize("source", ["views", "groups", "both"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp64", 1e-9), ("fp32", 1e-4)])
def test_every_kind_in_a_stack_does_what_it_does_alone(source, precision, tolerance):
    sets, labels = two_sets()
    tasks = [
        task(c, sets[d], labels, key=str(s), seed=s, data=d)
        for s, (c, d) in enumerate(zip(policies(source), ("data", "other", "data")))
    ]
    together = Stack(tasks, sets, CPU, precision)
    loss, gradient = (t.clone() for t in together.gradient(together.plan(1)[0], 5))
    for place, one in enumerate(tasks):
        alone = Stack([one], sets, CPU, precision)
        own_loss, own_gradient = alone.gradient(alone.plan(1)[0], 5)
        assert float(own_gradient.abs().max()) > 0
        torch.testing.assert_close(own_loss[0], loss[place], atol=tolerance, rtol=0)
        torch.testing.assert_close(own_gradient[0], gradient[place], atol=tolerance, rtol=tolerance)
    together.keep([2, 0])
    kept = together.gradient(together.plan(1)[0], 5)[0]
    torch.testing.assert_close(kept, loss[[2, 0]], atol=tolerance, rtol=0)


def test_training_with_every_kind_ends_and_repeats():
    data, labels = grouped()
    tasks = [task(c, data, labels, key=str(s), seed=s) for s, c in enumerate(policies("both"))]
    first, again = (train_stack([t], {"data": data}, precision="fp32")[0] for t in (tasks[1], tasks[1]))
    assert first.status == "finished"
    assert np.array_equal(first.loss, again.loss) and np.array_equal(first.curve, again.curve, equal_nan=True)
    assert np.isfinite(first.loss).all()


def test_the_limit_changes_training_but_not_the_stack():
    data, labels = grouped()
    free, limited = (
        configuration(augmentations={k: {} for k in KINDS}, training={"augmentations_at_once": n}) for n in (0, 1)
    )
    assert stack_key(free, 70) == stack_key(limited, 70)
    assert free.identity != limited.identity
    losses = []
    for config in (free, limited):
        stack = Stack([task(config, data, labels)], {"data": data}, CPU, "fp64")
        losses.append(float(stack.loss(stack.plan(1)[0], 0).detach()))
    assert losses[0] != losses[1]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_alone_changes_what_is_learnt(kind):
    data, labels = grouped()
    losses = []
    for chosen in ({}, {kind: {"probability": 1.0, **({"strength": 0.2} if kind == "shift" else {})}}):
        stack = Stack([task(configuration(augmentations=chosen), data, labels)], {"data": data}, CPU, "fp64")
        losses.append(float(stack.loss(stack.plan(1)[0], 0).detach()))
    assert losses[0] != losses[1]


def all_rows(augment, x, stream, axis, partners):
    """Slow twin: every kind computed for every row, the rows that it changes taken from that."""
    rows = x.shape[1]
    chosen = augment._chosen(RowStream(stream, rows, _POLICY_USE))
    for number, kind in enumerate(augment._kinds):
        random = RowStream(stream, rows, _USES_EACH * number)
        changed = kind.module.apply(kind.settings, x, kind.strength, random, Scene(axis, kind.fitted, partners))
        x = torch.where(chosen[..., number : number + 1], changed, x)
    return x


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
@pytest.mark.parametrize(("probability", "at_once"), [(0.5, 0), (0.05, 0), (1.0, 1), (1.0, 2), (1.0, 0)])
def test_kinds_computed_for_their_rows_alone_give_the_same_views(precision, probability, at_once):
    """To rounding: a processor's vector instructions round some functions otherwise than the scalar rest of an array,
    and where a row lies decides which it meets."""
    near = {"rtol": 1e-5, "atol": 1e-5} if precision == "fp32" else {"rtol": 1e-12, "atol": 1e-12}
    data, labels = grouped(length=211)
    config = configuration(
        augmentations={k: {"probability": probability} for k in KINDS}, training={"augmentations_at_once": at_once}
    )
    stack = Stack([task(config, data, labels)], {"data": data}, CPU, precision)
    every = stack.plan(1)[0]
    changed = 0
    for step, count in enumerate((1, 2, 7, every.shape[1])):
        rows = every[:, :count]

        def partners(uniform, rows=rows):
            return stack.spectra[stack._partners.draw(rows, uniform)]

        x = stack.spectra[rows]
        given = x.clone()
        stream = Stream.at(stack._seeds[:, 1], step)
        out = stack._augment(x, stream, stack.axis, partners)
        expected = all_rows(stack._augment, x, stream, stack.axis, partners)
        torch.testing.assert_close(out, expected, **near)
        same = (expected == x).all(dim=-1)
        assert torch.equal(out[same], x[same])  # rows that nothing changes keep their bits
        assert torch.equal(x, given)
        changed += int((out != x).any(dim=-1).sum())
    assert changed > 0
