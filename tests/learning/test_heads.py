"""Heads that leave the embedding as it is, or nearly."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from spectrosim_search.config import registry
from spectrosim_search.learning.engine import embed, train_stack
from spectrosim_search.learning.heads import residual_bottleneck
from spectrosim_search.learning.layers import Context
from spectrosim_search.learning.model import Model
from tests.learning.problems import configuration, grouped, task
from tests.learning.test_families import normals, settings_values, tensors


def test_residual_bottleneck_against_plain_loops():
    settings = residual_bottleneck.Settings(blocks=3, bottleneck=4, out=5)
    leaves = tensors(residual_bottleneck.parameters(settings, 6, 9), 2, torch.float64)
    h, x = normals(2, 3, 6, dtype=torch.float64), normals(2, 3, 9, dtype=torch.float64)
    context = Context(torch.arange(9.0).expand(2, -1), settings_values(settings, 2, torch.float64))
    out = residual_bottleneck.forward(settings, leaves, h, x, context)
    for r in range(2):
        p = {n: v[r].detach().numpy() for n, v in leaves.items()}
        for m in range(3):
            v = h[r, m].numpy()
            for block in range(3):
                name = f"block{block}."
                y = (v - v.mean()) / math.sqrt(v.var() + 1e-5) * p[name + "norm.gain"] + p[name + "norm.bias"]
                y = y @ p[name + "down.weight"] + p[name + "down.bias"]
                y = np.array([a * (1 + math.erf(a / math.sqrt(2))) / 2 for a in y])
                v = v + y @ p[name + "up.weight"] + p[name + "up.bias"]
            expected = v @ p["out.weight"] + p["out.bias"]
            np.testing.assert_allclose(out[r, m].detach().numpy(), expected, atol=1e-12)


def test_residual_bottleneck_starts_near_its_linear_layer():
    model = Model(configuration(head={"type": "residual-bottleneck"}), 70)
    start = model.head.views(model.initial([1], torch.float64, torch.device("cpu"))[:, model.encoder.size :])
    settings = residual_bottleneck.Settings()
    h = normals(1, 200, 16, dtype=torch.float64)
    context = Context(torch.arange(70.0).expand(1, -1), settings_values(settings, 1, torch.float64))
    out = residual_bottleneck.forward(settings, start, h, h, context)
    straight = h @ start["out.weight"]
    assert 0.01 < float((out - straight).norm() / straight.norm()) < 0.3


@pytest.mark.parametrize("objective", registry.names("learning.objectives"))
def test_identity_head_trains_and_compares_embeddings(objective):
    """A head without tensors goes through training, scoring and export; head and encoder are then the same."""
    data, labels = grouped()
    results = {}
    for similarity in ("head", "encoder"):
        config = configuration(
            head={"type": "identity"}, objective={"type": objective}, training={"similarity": similarity, "epochs": 6}
        )
        one, two = task(config, data, labels), task(config, data, labels, key="two", seed=2)
        done = train_stack([one, two], {"data": data}, precision="fp32")
        assert [r.status for r in done] == ["finished", "finished"]
        results[similarity] = done
    for by_head, by_encoder in zip(results["head"], results["encoder"]):
        np.testing.assert_array_equal(by_head.curve, by_encoder.curve)
        assert np.isfinite(by_head.loss).all()
        assert by_head.loss[-1] != by_head.loss[0]
        for left, right in zip(by_head.similarities, by_encoder.similarities):
            np.testing.assert_array_equal(left, right)


def test_identity_head_is_exported_without_tensors():
    data, labels = grouped()
    config = configuration(head={"type": "identity"}, training={"epochs": 2})
    given = task(config, data, labels, return_parameters=True)
    (done,) = train_stack([given], {"data": data}, precision="fp32")
    assert all(name.startswith("encoder.") for name in done.parameters)
    z = embed(config, done.parameters, data.spectra, data.axis)
    assert z.shape == (len(data.spectra), 16)
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    pairs = given.halves[0]
    np.testing.assert_allclose((unit[pairs.left] * unit[pairs.right]).sum(axis=1), done.similarities[0], atol=1e-5)
