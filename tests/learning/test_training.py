"""One stack from its first epoch to its results: choosing epochs, stopping, diverging, retraining."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectrosim_search.learning.engine import embed, single_thread, train_stack
from spectrosim_search.learning.stack import Stack
from spectrosim_search.learning.tasks import EvaluationPairs
from tests.learning.problems import all_pairs, configuration, grouped, task

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    with single_thread():
        yield


def test_each_half_is_scored_at_the_epoch_the_other_chose():
    data, labels = grouped()
    config = configuration(training={"epochs": 6, "checkpoint": "best", "patience": 100})
    one = task(config, data, labels)
    result = train_stack([one], {"data": data}, precision="fp32")[0]
    assert result.chosen_epochs == tuple(int(np.argmax(result.curve[:, h])) for h in range(2))
    stack = Stack([one], {"data": data}, CPU, "fp32")
    seen = []
    for epoch in range(7):
        if epoch:
            stack.epoch(epoch)
        per_half = []
        for pairs in one.halves:
            z = torch.nn.functional.normalize(stack.outputs(torch.arange(len(data.groups))[None])[0], dim=-1)
            per_half.append((z[pairs.left] * z[pairs.right]).sum(dim=-1).numpy())
        seen.append(per_half)
    by_first, by_second = result.chosen_epochs
    np.testing.assert_allclose(result.similarities[0], seen[by_second][0], atol=1e-5)
    np.testing.assert_allclose(result.similarities[1], seen[by_first][1], atol=1e-5)
    np.testing.assert_allclose(result.choosing[0], seen[by_second][1], atol=1e-5)
    np.testing.assert_allclose(result.choosing[1], seen[by_first][0], atol=1e-5)


def test_changing_a_half_does_not_change_what_it_is_scored_by():
    data, labels = grouped()
    config = configuration(training={"epochs": 12, "checkpoint": "best", "patience": 2})
    one = task(config, data, labels)
    base = train_stack([one], {"data": data}, precision="fp32")[0]
    turned = dataclasses.replace(one.halves[0], positive=~one.halves[0].positive)
    other = train_stack([dataclasses.replace(one, halves=(turned, one.halves[1]))], {"data": data}, precision="fp32")[0]
    assert base.chosen_epochs[1] == other.chosen_epochs[1]
    np.testing.assert_array_equal(base.similarities[0], other.similarities[0])
    assert base.chosen_epochs[0] != other.chosen_epochs[0]


def test_early_stopping_ends_training():
    data, labels = grouped()
    stops = {"epochs": 60, "checkpoint": "best", "patience": 3}
    config = configuration(training=stops, optimiser={"learning_rate": 1e-6})
    result = train_stack([task(config, data, labels)], {"data": data})[0]
    assert result.status == "finished"
    assert len(result.loss) == len(result.curve) - 1 == max(result.chosen_epochs) + 3


def test_stopping_below_and_on_request_leave_the_neighbours_alone():
    data, labels = grouped()
    config = configuration(training={"epochs": 4, "patience": 9})
    tasks = [task(config, data, labels, key=k, seed=i) for i, k in enumerate("abcd")]
    tasks[0] = dataclasses.replace(tasks[0], stop_below=np.full(4, 1.1, dtype=np.float32))
    told = []

    def watch(key: str, epoch: int, score: float) -> bool:
        told.append((key, epoch, score))
        return key in "bc" and epoch == 2

    results = train_stack(tasks, {"data": data}, on_epoch=watch, precision="fp64")
    assert [r.status for r in results] == ["stopped", "stopped", "stopped", "finished"]
    assert [len(r.loss) for r in results] == [1, 2, 2, 4]
    assert "below 1.1" in results[0].reason
    assert [e for k, e, _ in told if k == "d"] == [1, 2, 3, 4]
    assert [s for k, _, s in told if k == "d"] == pytest.approx(results[3].curve[1:].mean(axis=1), abs=1e-6)
    assert results[1].similarities[0].shape == tasks[1].halves[0].left.shape
    alone = train_stack(tasks[3:], {"data": data}, precision="fp64")[0]
    np.testing.assert_allclose(alone.similarities[0], results[3].similarities[0], atol=1e-6)


def test_a_diverged_replicate_scores_chance_and_harms_nobody():
    data, labels = grouped()
    spoilt = dataclasses.replace(data, spectra=data.spectra.copy())
    spoilt.spectra[2] = np.inf
    config = configuration(training={"epochs": 3})
    tasks = [task(config, data, labels, "good"), task(config, data, labels, "bad", data="spoilt")]
    tasks[1] = dataclasses.replace(tasks[1], return_parameters=True)
    good, bad = train_stack(tasks, {"data": data, "spoilt": spoilt}, precision="fp64")
    assert (good.status, bad.status) == ("finished", "diverged")
    assert "epoch 1" in bad.reason
    assert all((s == 0).all() and s.shape == p.left.shape for s, p in zip(bad.similarities, tasks[1].halves))
    alone = train_stack(tasks[:1], {"data": data}, precision="fp64")[0]
    np.testing.assert_allclose(alone.similarities[0], good.similarities[0], atol=1e-6)


def test_training_on_everything_returns_a_model_that_embeds_alike():
    data, labels = grouped()
    config = configuration(training={"epochs": 5})
    rows = np.flatnonzero(data.groups >= 8)
    test = all_pairs(rows, data.groups, labels)
    one = task(config, data, labels, halves=None, test=test, epochs=3, return_parameters=True)
    result = train_stack([one], {"data": data}, precision="fp32")[0]
    assert result.status == "finished"
    assert (len(result.loss), len(result.curve), len(result.similarities)) == (3, 0, 1)
    z = embed(config, result.parameters, data.spectra, data.axis)
    assert z.dtype == np.float32
    unit = z / np.linalg.norm(z, axis=1, keepdims=True)
    np.testing.assert_allclose((unit[test.left] * unit[test.right]).sum(axis=1), result.similarities[0], atol=1e-5)
    np.testing.assert_allclose(embed(config, result.parameters, data.spectra, data.axis, batch=7), z, atol=1e-5)
    assert embed(config, result.parameters, data.spectra[:0], data.axis).shape == (0, z.shape[1])
    without_test = train_stack([dataclasses.replace(one, test=None)], {"data": data}, precision="fp32")[0]
    assert without_test.similarities == ()
    for name in result.parameters:
        np.testing.assert_array_equal(result.parameters[name], without_test.parameters[name])
    # the schedule is the configuration's: three of five epochs are not three of three
    short = dataclasses.replace(one, configuration=configuration(training={"epochs": 3}))
    assert not np.array_equal(train_stack([short], {"data": data}, precision="fp32")[0].loss, result.loss)


def test_similarity_of_the_encoder_or_the_head():
    data, labels = grouped()
    kinds = [configuration(training={"similarity": s}, head={"type": "linear", "out": 5}) for s in ("head", "encoder")]
    sizes = []
    for config in kinds:
        one = task(config, data, labels, halves=None, epochs=1, return_parameters=True)
        result = train_stack([one], {"data": data})[0]
        sizes.append(embed(config, result.parameters, data.spectra, data.axis).shape[1])
    assert sizes == [5, 16]


def test_undefined_scores_of_a_half():
    data, labels = grouped()
    one = task(configuration(), data, labels)
    empty = dataclasses.replace(one.halves[0], positive=np.zeros_like(one.halves[0].positive))
    result = train_stack([dataclasses.replace(one, halves=(empty, one.halves[1]))], {"data": data})[0]
    assert result.status == "finished"
    assert np.isnan(result.curve[:, 0]).all()
    assert np.isfinite(result.curve[:, 1]).all()
    assert result.chosen_epochs[0] == len(result.loss)


def test_a_half_without_pairs():
    data, labels = grouped()
    one = task(configuration(), data, labels)
    none = EvaluationPairs(*(getattr(one.halves[0], f)[:0] for f in ("left", "right", "positive", "stratum")))
    for halves in ((one.halves[0], none), (none, none)):
        result = train_stack([dataclasses.replace(one, halves=halves)], {"data": data})[0]
        assert result.status == "finished"
        assert [s.size for s in result.similarities] == [h.left.size for h in halves]
