"""Pretraining and fine-tuning: blocks that stay do, features are those of their block, answers come spectrum by
spectrum."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.fine_tuning import FineTuning, classify, fine_tune
from spectrosim_search.learning.layers_convolution import summarise
from spectrosim_search.learning.pretext import Pretext
from spectrosim_search.learning.pretraining import (
    Unlabelled,
    pretrain_contrastive,
    pretrain_transformations,
    untrained,
)
from spectrosim_search.learning.tasks import TrainingData
from spectrosim_search.learning.trunk import Trunk
from tests.learning.problems import configuration

CPU = torch.device("cpu")
LENGTH = 60
AXIS = np.linspace(900.0, 1700.0, LENGTH)


def bands(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Three classes that differ by where a band lies on a sloping background."""
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 3
    centre = np.array([20, 27, 34])[y] + rng.normal(size=count)
    x = np.exp(-0.5 * ((np.arange(LENGTH) - centre[:, None]) / 4) ** 2) * 2
    x += rng.normal(size=(count, 1)) + 0.02 * rng.normal(size=(count, 1)) * np.arange(LENGTH)
    return (x + 0.05 * rng.normal(size=x.shape)).astype(np.float32), y.astype(np.int64)


def setup(encoder: dict[str, object] | None = None, epochs: int = 3, **given: object) -> Configuration:
    made = configuration(training={"epochs": epochs, "batch_size": 16}, optimiser={"learning_rate": 0.003}, **given)
    chosen = encoder or {"type": "block-cnn", "width": 4, "references": 4, "regions": 6, "out": 16}
    return dataclasses.replace(made, encoder=resolve("encoders", chosen))


def never(epoch: int, loss: float) -> bool:
    return False


def unlabelled(x: np.ndarray) -> Unlabelled:
    return Unlabelled(x, AXIS, np.full(len(x), -1, dtype=np.int64))


def test_recognition_is_learnt() -> None:
    x, _ = bands(90, 0)
    config = setup(epochs=25)
    trunk = Trunk(config.encoder, LENGTH, 3)
    shown = Pretext(kinds=(4, 5), weights=(1.0, 1.0, 1.0), versions=3)
    found = pretrain_transformations(config, trunk, unlabelled(x), 1, shown, (16, 0.1), CPU, never)
    assert found.recognition["all"] > 0.8, "a third is what guessing gives"
    assert set(found.recognition) == {"all", "raw", "horizontal-flip", "vertical-flip"}
    assert found.loss[-1] < 0.6 * found.loss[0]
    again = pretrain_transformations(config, trunk, unlabelled(x), 1, shown, (16, 0.1), CPU, never)
    assert all(torch.equal(v, again.encoder[n]) for n, v in found.encoder.items())


def test_each_version_is_shown_once_in_an_epoch_of_all() -> None:
    from spectrosim_search.learning.pretraining import _Recognition

    x, _ = bands(20, 0)
    config = setup()
    run = _Recognition(config, Trunk(config.encoder, LENGTH, 3), unlabelled(x), 5, Pretext(versions=7), (8, 0.0), CPU)
    rows, kinds = torch.cat(run.plan(1), dim=1)[:, :140].numpy()
    assert len({(int(r), int(k)) for r, k in zip(rows, kinds)}) == 140


@pytest.mark.parametrize("first", [0, 1, 2, 3])
def test_blocks_below_stay_and_the_others_move(first: int) -> None:
    x, y = bands(45, 0)
    config = setup()
    trunk = Trunk(config.encoder, LENGTH, 3)
    start = untrained(trunk, unlabelled(x), 1, CPU).encoder
    start = {n: start[n] for n in (*trunk.parameters(), *trunk.fitted())}
    plan = FineTuning(first=first, epochs=2, hidden=8)
    found, curve = fine_tune(config, trunk, start, TrainingData(x, AXIS, y), 3, 2, plan, 3, CPU, never)
    assert len(curve) == 2
    for name, value in start.items():
        moved = not torch.equal(found[name], value)
        assert moved == (name.startswith("block") and int(name[5]) >= first), name


def test_what_stays_is_computed_once_to_the_same_effect() -> None:
    """Augmentations of no strength take the long way: all blocks in every step."""
    x, y = bands(45, 0)
    config = setup(augmentations={"jitter": {"strength": 0.0, "probability": 1.0}})
    trunk = Trunk(config.encoder, LENGTH, 3)
    start = untrained(trunk, unlabelled(x), 1, CPU).encoder
    start = {n: start[n] for n in (*trunk.parameters(), *trunk.fitted())}
    for first in (0, 2, 3):
        told = []
        for augment in (False, True):
            plan = FineTuning(first=first, epochs=2, hidden=8, augment=augment)
            told.append(fine_tune(config, trunk, start, TrainingData(x, AXIS, y), 3, 2, plan, 3, CPU, never)[1])
        np.testing.assert_allclose(told[0], told[1], rtol=1e-4)


def test_features_are_those_of_their_block() -> None:
    x, _ = bands(10, 0)
    config = setup()
    whole = Trunk(config.encoder, LENGTH, 3)
    p = untrained(whole, unlabelled(x), 1, CPU).encoder
    given = torch.from_numpy(x).unsqueeze(0)
    axis = torch.from_numpy(AXIS).float().unsqueeze(0)
    for features in (1, 2):
        trunk = Trunk(config.encoder, LENGTH, features)
        assert not any(n.startswith(f"block{features}") for n in trunk.parameters())
        read = trunk.upper(p, trunk.lower(p, given, 0), 0, trunk.context(axis, given, None, 0, []))
        behind = whole.lower(p, given, features)[:, whole.references :]
        assert torch.equal(read, summarise(behind, 6))
        assert read.shape == (1, 10, trunk.size)


def test_blocks_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="has 3 blocks"):
        Trunk(setup().encoder, LENGTH, 4)
    with pytest.raises(ConfigurationError, match="use 0, its embedding"):
        Trunk(resolve("encoders", {"type": "transformer", "patch": 12, "width": 16}), LENGTH, 1)


@pytest.mark.parametrize(
    "encoder",
    [
        {"type": "block-cnn", "width": 4, "references": 4, "regions": 6, "out": 16},
        {"type": "transformer", "patch": 12, "width": 16, "depth": 1, "heads": 2, "out": 16},
        {"type": "vae", "width": 16, "out": 16},
    ],
    ids=lambda e: str(e["type"]),
)
def test_any_encoder_learns_the_classes_after_either_pretext(encoder: dict[str, object]) -> None:
    x, y = bands(90, 0)
    new, truth = bands(60, 1)
    middle, size = x.mean(axis=0), x.std()
    x, new = (x - middle) / size, (new - middle) / size
    config = setup(encoder, epochs=4, positives={"source": "views"})
    trunk = Trunk(config.encoder, LENGTH, 0)
    shown = Pretext()
    told = [
        pretrain_transformations(config, trunk, unlabelled(x), 1, shown, (16, 0.1), CPU, never),
        pretrain_contrastive(config, unlabelled(x), 1, CPU, never),
    ]
    for pretrained in told:
        start = {n: pretrained.encoder[n] for n in (*trunk.parameters(), *trunk.fitted())}
        assert any(not torch.equal(v, untrained(trunk, unlabelled(x), 1, CPU).encoder[n]) for n, v in start.items()), (
            "pretraining changed something"
        )
        plan = FineTuning(epochs=25, hidden=16, dropout=0.1, learning_rate=0.01)
        found, _ = fine_tune(config, trunk, start, TrainingData(x, AXIS, y), 3, 2, plan, 3, CPU, never)
        shares = classify(trunk, found, new, AXIS)
        assert (shares.argmax(axis=1) == truth).mean() > 0.8
        np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-5)
        alone = np.concatenate([classify(trunk, found, row[None], AXIS) for row in new[:5]])
        np.testing.assert_allclose(alone, shares[:5], atol=1e-5)


def test_contrastive_pretraining_keeps_the_fitted_reference() -> None:
    x, _ = bands(30, 0)
    config = setup(epochs=1, positives={"source": "views"})
    found = pretrain_contrastive(config, unlabelled(x), 1, CPU, never).encoder
    fitted = Trunk(config.encoder, LENGTH, 0).fit(unlabelled(x).fitting())
    assert torch.equal(found["reference"], fitted["reference"])
