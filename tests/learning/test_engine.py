from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.learning import engine
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import embed, single_thread, train_stack
from spectrosim_search.learning.stack import Stack, steps_of
from spectrosim_search.learning.tasks import TrainingData
from tests.learning.problems import configuration, grouped, task

CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def one_thread():
    with single_thread():
        yield


def different(source: str = "both", head: str = "mlp"):
    """Three configurations of one architecture that differ in everything a stack allows."""
    kinds = ("crop-pad", "flip", "jitter", "permutation", "scale", "shift")
    return [
        configuration(
            augmentations={k: {"probability": p} for k in kinds},
            positives={"source": source, "group_weight": w},
            encoder={"dropout": d},
            head={"type": head, "out": 16},
            objective={"temperature": t, "label_smoothing": s},
            optimiser={"learning_rate": r, "weight_decay": s, "gradient_clip": c, "warmup": d},
        )
        for p, w, d, t, s, r, c in (
            (0.5, 1.0, 0.1, 0.1, 0.0, 1e-3, 1.0),
            (0.9, 0.3, 0.0, 0.5, 0.1, 1e-2, 0.1),
            (0.1, 2.0, 0.4, 1.0, 0.05, 3e-4, 9.0),
        )
    ]


def two_sets():
    first, labels = grouped(seed=0)
    second, _ = grouped(seed=1)
    relation = np.where(np.equal.outer(second.groups, second.groups), 1, 0).astype(np.int8)
    relation[np.random.default_rng(0).random(relation.shape) < 0.2] = -1
    relation = np.minimum(relation, relation.T)
    np.fill_diagonal(relation, 1)
    return {"data": first, "other": dataclasses.replace(second, relation=relation)}, labels


@pytest.mark.parametrize("source", ["views", "groups", "both"])
@pytest.mark.parametrize(("precision", "tolerance"), [("fp64", 1e-9), ("fp32", 1e-4)])
@pytest.mark.parametrize("head", ["mlp", "spectral"])
def test_a_step_in_a_stack_is_the_step_alone(source, precision, tolerance, head):
    sets, labels = two_sets()
    tasks = [
        task(c, sets[d], labels, key=str(s), seed=s, data=d)
        for s, (c, d) in enumerate(zip(different(source, head), ("data", "other", "data")))
    ]
    together = Stack(tasks, sets, CPU, precision)
    rows = together.plan(1)
    for step in range(3):  # later steps see updated parameters
        loss, gradient = (t.clone() for t in together.gradient(rows[0], step))
        for place, one in enumerate(tasks):
            alone = Stack([one], sets, CPU, precision)
            alone.parameters.copy_(together.parameters[place : place + 1])
            own_rows = alone.plan(1)
            own_loss, own_gradient = alone.gradient(own_rows[0], step)
            assert torch.isfinite(own_gradient).all()
            assert float(own_gradient.abs().max()) > 0
            torch.testing.assert_close(own_loss[0], loss[place], atol=tolerance, rtol=0)
            torch.testing.assert_close(own_gradient[0], gradient[place], atol=tolerance, rtol=tolerance)
        together.step(rows[0], step)


def same(a, b) -> bool:
    return (
        np.array_equal(a.curve, b.curve, equal_nan=True)
        and np.array_equal(a.loss, b.loss)
        and a.chosen_epochs == b.chosen_epochs
        and all(np.array_equal(x, y) for x, y in zip((*a.similarities, *a.choosing), (*b.similarities, *b.choosing)))
        and all(np.array_equal(a.parameters[k], b.parameters[k]) for k in a.parameters)
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_replicate_repeats_bit_for_bit(precision):
    data, labels = grouped()
    one = task(configuration(), data, labels, return_parameters=True)
    torch.manual_seed(1)
    first = train_stack([one], {"data": data}, precision=precision)[0]
    torch.manual_seed(2)
    assert same(first, train_stack([one], {"data": data}, precision=precision)[0])
    other = dataclasses.replace(one, seed=2)
    assert not same(first, train_stack([other], {"data": data}, precision=precision)[0])


def test_order_and_company_of_tasks_do_not_matter():
    data, labels = grouped()
    tasks = [task(c, data, labels, key=str(i), seed=i) for i, c in enumerate(different())]
    forward = train_stack(tasks, {"data": data}, precision="fp64")
    backward = train_stack(tasks[::-1], {"data": data}, precision="fp64")[::-1]
    for one, a, b in zip(tasks, forward, backward):
        alone = train_stack([one], {"data": data}, precision="fp64")[0]
        assert a.key == b.key == alone.key == one.key
        for other in (b, alone):
            np.testing.assert_allclose(a.loss, other.loss, atol=1e-6)
            np.testing.assert_allclose(a.similarities[0], other.similarities[0], atol=1e-6)


@pytest.mark.parametrize("source", ["groups", "both"])
def test_training_tells_groups_apart(source):
    data, labels = grouped(groups=28, noise=1.0)
    config = configuration(
        training={"epochs": 25, "patience": 25, "batch_size": 16},
        positives={"source": source},
        optimiser={"learning_rate": 3e-3},
    )
    results = train_stack(
        [task(config, data, labels, key=str(s), seed=s, metric="auc") for s in range(2)], {"data": data}
    )
    for r in results:
        assert r.status == "finished"
        assert r.curve.shape == (26, 2)
        assert r.loss[-1] < 0.7 * r.loss[0]
        assert r.curve[-1].mean() > 0.88
        assert r.curve[-1].mean() > r.curve[0].mean() + 0.04
        assert r.embedding_rank > 2
        assert 0 < r.alignment < 0.5
        assert -4 < r.uniformity < -0.5


def test_views_alone_learn_without_groups():
    data, labels = grouped()
    config = configuration(positives={"source": "views"}, training={"epochs": 15})
    known = train_stack([task(config, data, labels)], {"data": data})[0]
    blind = dataclasses.replace(data, groups=np.arange(data.groups.size))
    unknown = train_stack([task(config, data, labels)], {"data": blind})[0]
    assert known.loss[-1] < known.loss[0]
    np.testing.assert_array_equal(known.loss, unknown.loss)  # training groups were not looked at


def test_a_batch_larger_than_the_training_set():
    data, labels = grouped()
    for source in ("views", "groups", "both"):
        config = configuration(training={"batch_size": 64, "epochs": 2}, positives={"source": source})
        one = task(config, data, labels)
        assert one.train.size < 64
        stack = Stack([one], {"data": data}, CPU, "fp32")
        rows = stack.plan(1)
        assert rows.shape == (1, 1, 64)
        assert set(rows.flatten().tolist()) == set(one.train.tolist())
        assert np.isfinite(train_stack([one], {"data": data})[0].loss).all()


def test_groups_of_one_spectrum_train():
    data, labels = grouped()
    codes = data.groups.copy()
    codes[:12] = 100 + np.arange(12)
    lonely = dataclasses.replace(data, groups=codes)
    train = np.flatnonzero(codes >= 100)
    _, labels = grouped()
    halves = task(configuration(), data, labels).halves
    for source in ("both", "groups"):
        config = configuration(positives={"source": source})
        result = train_stack([task(config, data, labels, train=train, halves=halves)], {"data": lonely})[0]
        assert result.status == "finished"
        assert (result.loss == 0).all() == (source == "groups")  # no positives at all: no loss, nothing breaks


def test_the_length_of_an_epoch_is_the_tasks_own_matter():
    data, labels = grouped()
    config = configuration()
    one = task(config, data, labels)
    assert steps_of(one) == 2
    fewer = dataclasses.replace(one, key="two", train=one.train[:8])
    longer = dataclasses.replace(one, key="three", steps_per_epoch=4)
    together = train_stack([one, fewer, longer], {"data": data}, precision="fp32")
    for single, result in zip((one, fewer, longer), together):
        assert same(train_stack([single], {"data": data}, precision="fp32")[0], result)


@pytest.mark.parametrize("room", [2, 0])
def test_a_full_gpu_gets_half_the_stack(monkeypatch, room):
    data, labels = grouped()
    tasks = [task(configuration(), data, labels, key=str(s), seed=s) for s in range(5)]
    sizes = []

    def crowded(tasks, *rest):
        sizes.append(len(tasks))
        if len(tasks) > room:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return Stack(tasks, *rest)

    monkeypatch.setattr(engine, "Stack", crowded)
    results = train_stack(tasks, {"data": data}, precision="fp64")
    assert [r.key for r in results] == list("01234")
    assert sizes[:2] == [5, 2]
    if room:
        assert all(r.status == "finished" for r in results)
        return
    for r, t in zip(results, tasks):
        assert r.status == "diverged"
        assert "memory" in r.reason
        assert [s.shape for s in r.similarities] == [h.left.shape for h in t.halves]


def test_steps_are_counted_through_the_epochs(monkeypatch):
    data, labels = grouped()
    stack = Stack([task(configuration(), data, labels)], {"data": data}, CPU, "fp32")
    seen, real = [], stack.step
    monkeypatch.setattr(stack, "step", lambda rows, step: (seen.append(step), real(rows, step))[1])
    for epoch in (1, 2, 3):
        stack.epoch(epoch)
    assert seen == list(range(6))


@pytest.mark.parametrize("change", ["augmentations", "encoder", "head", "step"])
def test_views_and_dropout_take_part_in_training(change):
    data, labels = grouped()
    quiet = {"augmentations": {"jitter": {"probability": 0.0}}, "encoder": {"dropout": 0.0}}
    loud = {
        "augmentations": {"jitter": {"probability": 1.0}},
        "encoder": {"dropout": 0.5},
        "head": {"type": "mlp", "width": 16, "out": 16, "dropout": 0.5},
    }
    config = configuration(**{**quiet, **({change: loud[change]} if change in loud else {})})

    def loss(config, step):
        stack = Stack([task(config, data, labels)], {"data": data}, CPU, "fp64")
        return float(stack.loss(stack.plan(1)[0], step).detach())

    if change == "step":  # nothing random is left
        assert loss(config, 0) == loss(config, 1)
    else:
        assert abs(loss(config, 0) - loss(configuration(**quiet), 0)) > 1e-3
        assert abs(loss(config, 0) - loss(config, 1)) > 1e-3


def test_encoders_of_the_registry_train():
    data, labels = grouped()
    config = dataclasses.replace(
        configuration(), encoder=resolve("encoders", {"type": "one-token-transformer", "width": 32, "depth": 1})
    )
    assert train_stack([task(config, data, labels)], {"data": data})[0].status == "finished"
    learned = configuration(encoder={"position": "learned", "pool": "attention"})
    assert train_stack([task(learned, data, labels)], {"data": data})[0].status == "finished"


def test_wrong_input():
    data, labels = grouped()
    one = task(configuration(), data, labels)
    with pytest.raises(InputError, match="unknown device 'gpux'"):
        train_stack([one], {"data": data}, device="gpux")
    with pytest.raises(InputError, match="device 'meta' is none"):
        train_stack([one], {"data": data}, device="meta")
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="no GPU is there"):
            train_stack([one], {"data": data}, device="cuda")
    else:
        with pytest.raises(InputError, match=r"device 'cuda:99' asked for, but there (is|are) \d+ GPU"):
            train_stack([one], {"data": data}, device="cuda:99")
    wider = task(configuration(encoder={"width": 32}), data, labels)
    with pytest.raises(ConfigurationError, match="2 architectures"):
        train_stack([one, wider], {"data": data})
    with pytest.raises(InputError, match="1 training spectra"):
        train_stack([dataclasses.replace(one, train=one.train[:1])], {"data": data})
    with pytest.raises(InputError, match=r"'encoder\.patch\.weight' is missing"):
        embed(configuration(), {}, data.spectra, data.axis)
    assert train_stack([], {}) == []


def test_axis_matters_and_its_unit_does_not():
    data, labels = grouped()
    config = configuration()
    one = task(config, data, labels)
    base = train_stack([one], {"data": data}, precision="fp64")[0]
    scaled = TrainingData(data.spectra, data.axis * 1000, data.groups)
    bent = TrainingData(data.spectra, data.axis**2, data.groups)
    np.testing.assert_allclose(train_stack([one], {"data": scaled}, precision="fp64")[0].loss, base.loss, atol=1e-6)
    assert not np.allclose(train_stack([one], {"data": bent}, precision="fp64")[0].loss, base.loss, atol=1e-6)
