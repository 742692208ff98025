"""Every encoder, head and objective in the real engine: a stack gives what its replicates give alone."""

from __future__ import annotations

import dataclasses
from typing import get_args, get_type_hints

import numpy as np
import pytest
import torch

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration, Optimiser, Positives, Preprocessing, Training
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import embed, single_thread, train_stack
from spectrosim_search.learning.metric import fit_metric
from spectrosim_search.learning.stack import Stack, member_seed
from tests.learning.problems import grouped, task
from tests.learning.test_families import SMALLER

CPU = torch.device("cpu")
ENCODERS, HEADS, OBJECTIVES = (registry.names(f"learning.{f}") for f in ("encoders", "heads", "objectives"))
FITTED = {e for e in ENCODERS if hasattr(registry.load("learning.encoders", e), "fit")}  # not for a branch
BRANCHES = [e for e in ENCODERS if e not in FITTED | {"one-token-transformer"}]
CHEAP = {"type": "whitened", "components": 6, "branch": "mlp", "hidden": 8}


@pytest.fixture(autouse=True)
def one_thread():
    with single_thread():
        yield


def configuration(
    encoder=CHEAP,
    head="identity",
    objective="nt-xent",
    *,
    place: int = 0,
    source: str = "both",
    members: int = 1,
    **given,
) -> Configuration:
    """One of several configurations of one architecture that differ in what a stack allows to differ."""
    dropout = {} if "dropout" not in resolve("encoders", encoder).to_dict() else {"dropout": (0.1, 0.0, 0.3)[place - 1]}
    noise = (
        {"noise": (0.5, 0.0, 1.0)[place], "shrinkage": (0.1, 0.5, 0.01)[place]} if encoder["type"] == "whitened" else {}
    )
    return Configuration(
        preprocessing=Preprocessing(),
        encoder=resolve("encoders", {**encoder, **dropout, **noise}),
        head=resolve("heads", {"type": head}),
        objective=resolve("objectives", {"type": objective}),
        augmentations=(resolve("augmentations", {"type": "jitter", "probability": (0.5, 0.9, 0.1)[place]}),),
        positives=Positives(source=source, group_weight=(1.0, 0.3, 2.0)[place]),
        optimiser=Optimiser(learning_rate=(1e-3, 1e-2, 3e-4)[place], weight_decay=(0.0, 0.1, 0.01)[place]),
        training=Training(**{"batch_size": 8, "epochs": 2, "members": members, **given}),
    )


def two_folds():
    """Two data sets of one shape, as two folds with their own preprocessing are, the second with unknown relations."""
    first, labels = grouped(seed=0)
    second, _ = grouped(seed=1)
    relation = np.equal.outer(second.groups, second.groups).astype(np.int8)
    relation[np.random.default_rng(0).random(relation.shape) < 0.1] = -1
    relation = np.minimum(relation, relation.T)
    np.fill_diagonal(relation, 1)
    return {"data": first, "other": dataclasses.replace(second, relation=relation)}, labels


def check(make, precision: str, tolerance: float) -> None:
    sets, labels = two_folds()
    tasks = [
        task(make(place), sets[d], labels, key=str(place), seed=place + 5, data=d)
        for place, d in enumerate(("data", "other", "data"))
    ]
    together = Stack(tasks, sets, CPU, precision)
    alone = [Stack([one], sets, CPU, precision) for one in tasks]
    size = together.members
    rows, own_rows = together.plan(1), [a.plan(1) for a in alone]
    for step in range(3):  # later steps see updated parameters, momentum networks and queues
        loss, gradient = (t.clone() for t in together.gradient(rows[0], step))
        for place, one in enumerate(alone):
            own = slice(place * size, (place + 1) * size)
            own_loss, own_gradient = one.gradient(own_rows[place][0], step)
            assert torch.isfinite(own_gradient).all()
            assert float(own_gradient.abs().max()) > 0 or float(own_loss.sum()) == 0  # triplets beyond their margin
            torch.testing.assert_close(own_loss, loss[own], atol=tolerance, rtol=tolerance)
            scale = max(float(own_gradient.abs().max()), 1e-12)
            torch.testing.assert_close(own_gradient / scale, gradient[own] / scale, atol=tolerance, rtol=tolerance)
            one.step(own_rows[place][0], step)
        together.step(rows[0], step)
        for place, one in enumerate(alone):  # rounding does not pile up over steps: each starts from the same values
            one.parameters.copy_(together.parameters[place * size : (place + 1) * size])
            one._bind()


precisions = pytest.mark.parametrize(("precision", "tolerance"), [("fp64", 1e-9), ("fp32", 1e-4)])


@precisions
@pytest.mark.parametrize("name", ENCODERS)
def test_encoders(name, precision, tolerance):
    encoder = {"type": name, **SMALLER.get(name, {})}
    check(lambda place: configuration(encoder, place=place), precision, tolerance)


@precisions
@pytest.mark.parametrize("name", HEADS)
def test_heads(name, precision, tolerance):
    check(lambda place: configuration(head=name, place=place), precision, tolerance)


@precisions
@pytest.mark.parametrize("source", ["views", "groups", "both"])
@pytest.mark.parametrize("name", OBJECTIVES)
def test_objectives(name, source, precision, tolerance):
    check(lambda place: configuration(head="linear", objective=name, source=source, place=place), precision, tolerance)


@pytest.mark.parametrize("name", BRANCHES)
def test_branches_beside_the_linear_metric(name):
    encoder = {"type": "whitened", "components": 6, "branch": name, "hidden": 16}
    check(lambda place: configuration(encoder, place=place), "fp64", 1e-9)


@pytest.mark.parametrize("objective", ["nt-xent", "moco"])
def test_ensembles(objective):
    check(lambda place: configuration(objective=objective, head="linear", members=3, place=place), "fp64", 1e-9)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_trained_model_is_what_embed_computes(name):
    """What similarity compared in training is what the exported tensors give, for networks and ensembles alike."""
    data, labels = grouped()
    for members in (1, 2):
        config = configuration({"type": name, **SMALLER.get(name, {})}, members=members)
        one = task(config, data, labels, return_parameters=True)
        result = train_stack([one], {"data": data}, precision="fp32")[0]
        z = embed(config, result.parameters, data.spectra, data.axis)
        unit = z / np.linalg.norm(z, axis=1, keepdims=True)
        for half, similarity in zip(one.halves, result.similarities):
            found = (unit[half.left] * unit[half.right]).sum(axis=1)
            np.testing.assert_allclose(found, similarity, atol=1e-4)


def test_an_ensemble_is_the_mean_of_its_networks():
    data, labels = grouped()
    several = task(configuration(members=3), data, labels, return_parameters=True)
    result = train_stack([several], {"data": data}, precision="fp64")[0]
    alone = dataclasses.replace(several, configuration=configuration())
    each = [
        train_stack([dataclasses.replace(alone, seed=member_seed(several.seed, m))], {"data": data}, precision="fp64")[
            0
        ]
        for m in range(3)
    ]
    for half in range(2):
        mean = np.mean([e.similarities[half] for e in each], axis=0)
        np.testing.assert_allclose(result.similarities[half], mean, atol=1e-5)
    for name, values in result.parameters.items():
        np.testing.assert_allclose(values[1], each[1].parameters[name], atol=1e-5)


def test_without_epochs_the_whitened_encoder_is_the_linear_metric():
    data, labels = grouped()
    one = task(configuration(epochs=0), data, labels)
    result = train_stack([one], {"data": data})[0]
    assert result.status == "finished"
    assert result.curve.shape == (1, 2)
    z = fit_metric(data.spectra[one.train], data.groups[one.train], 6, 0.1).embed(data.spectra)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    for half, similarity in zip(one.halves, result.similarities):
        np.testing.assert_allclose((unit[half.left] * unit[half.right]).sum(axis=1), similarity, atol=1e-4)


def test_every_encoder_can_be_the_branch():
    module = registry.load("learning.encoders", "whitened")
    assert set(get_args(get_type_hints(module.Settings)["branch"])) == {"none", "mlp", *BRANCHES}
