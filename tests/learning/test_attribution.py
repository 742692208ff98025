"""Attributions along the axis: axioms, a model whose answer is known, tokens where there are any."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Configuration, Optimiser, Positives, Preprocessing, Training
from spectrosim_search.learning.attribution import grad_cam, integrated_gradients, shuffled
from spectrosim_search.learning.components import resolve
from spectrosim_search.learning.engine import train_stack
from spectrosim_search.learning.network import Network
from spectrosim_search.learning.tasks import ReplicateTask, TrainingData

LENGTH, GROUPS, SIZE = 96, 12, 4
SIGNAL = slice(40, 48)  # the only channels that tell groups apart
SETTINGS = {
    "transformer": {"patch": 8, "width": 16, "depth": 1, "heads": 2},
    "cnn": {"width": 8, "stem_stride": 4},
    "whitened": {"components": 6},
    "kan": {},
}


def spectra() -> NDArray[np.float32]:
    rng = np.random.default_rng(3)
    x = rng.normal(0, 0.3, (GROUPS * SIZE, LENGTH))
    x[:, SIGNAL] += np.repeat(rng.normal(0, 1.5, (GROUPS, 8)), SIZE, axis=0)
    return x.astype(np.float32)


def configured(encoder: dict[str, Any], epochs: int, members: int = 1) -> Configuration:
    return Configuration(
        preprocessing=Preprocessing(),
        encoder=resolve("encoders", encoder),
        head=resolve("heads", {"type": "identity"}),
        objective=resolve("objectives", {"type": "supcon", "temperature": 0.2}),
        augmentations=(resolve("augmentations", {"type": "jitter", "strength": 0.1}),),
        positives=Positives(source="groups"),
        optimiser=Optimiser(learning_rate=3e-3),
        training=Training(batch_size=24, epochs=epochs, members=members, precision="fp32"),
    )


def trained(encoder: str, epochs: int = 30, members: int = 1) -> Network:
    configuration = configured({"type": encoder, **SETTINGS[encoder]}, epochs, members)
    axis = np.linspace(100, 200, LENGTH)
    data = TrainingData(spectra(), axis, np.repeat(np.arange(GROUPS), SIZE))
    rows = np.arange(GROUPS * SIZE)
    task = ReplicateTask("a", configuration, 5, "d", rows, None, epochs=epochs, return_parameters=True)
    (result,) = train_stack([task], {"d": data})
    return Network(configuration, result.parameters, axis, torch.device("cpu"))


def pairs() -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Spectra, partners of the same group, and spectra of the next group."""
    x = spectra().reshape(GROUPS, SIZE, LENGTH)
    return x[:, 0], x[:, 1], np.roll(x, 1, axis=0)[:, 2]


@pytest.mark.parametrize("encoder", sorted(SETTINGS))
def test_attributions_sum_to_the_change_of_the_similarity(encoder: str) -> None:
    network = trained(encoder, epochs=6)
    attributed, change = integrated_gradients(network, *pairs(), steps=128)
    with torch.no_grad():
        a, b, n = (network(network.tensor(s)) for s in pairs())
        similar = torch.nn.functional.cosine_similarity
        expected = (similar(a, b) - similar(n, b)).numpy()
    assert change == pytest.approx(expected, abs=1e-5)
    assert np.abs(attributed.sum(axis=1) - change).max() < 0.02
    assert np.abs(change).max() > 0.1, "there was something to explain"


def test_channels_that_the_model_cannot_see_get_nothing() -> None:
    network = trained("transformer", epochs=4)
    a, b, n = pairs()
    n = n.copy()
    n[:, :20] = a[:, :20]  # where spectrum and baseline agree nothing can have been gained
    attributed, _ = integrated_gradients(network, a, b, n)
    assert (attributed[:, :20] == 0).all()
    assert np.abs(attributed[:, 20:]).max() > 0


@pytest.mark.parametrize("encoder", ["transformer", "whitened"])
def test_the_planted_signal_is_found(encoder: str) -> None:
    network = trained(encoder, epochs=40)
    attributed, _ = integrated_gradients(network, *pairs())
    mean = attributed.mean(axis=0)
    assert mean[SIGNAL].sum() > 0.5 * np.abs(mean).sum()  # of 8 channels in 96
    assert set(np.argsort(-mean)[:4]) <= set(range(SIGNAL.start, SIGNAL.stop))


def test_one_spectrum_at_a_time_or_all_together() -> None:
    network = trained("cnn", epochs=3)
    together, _ = integrated_gradients(network, *pairs())
    alone = [integrated_gradients(network, *(s[i : i + 1] for s in pairs()))[0][0] for i in range(GROUPS)]
    assert np.allclose(together, alone, atol=1e-6)


@pytest.mark.parametrize("members", [1, 2])
def test_grad_cam_covers_the_axis_token_by_token(members: int) -> None:
    network = trained("transformer", epochs=20, members=members)
    a, b, _ = pairs()
    maps = grad_cam(network, a, b)
    assert maps is not None and maps.shape == (GROUPS, LENGTH)
    assert (maps >= 0).all() and maps.max() <= 1 + 1e-9
    assert (np.ptp(maps.reshape(GROUPS, LENGTH // 8, 8), axis=2) == 0).all(), "tokens of 8 channels"
    assert np.ptp(maps, axis=1).max() > 0.1


def test_encoders_without_tokens_have_no_grad_cam() -> None:
    a, b, _ = pairs()
    assert grad_cam(trained("kan", epochs=1), a, b) is None
    assert grad_cam(trained("whitened", epochs=0), a, b) is None


@pytest.mark.parametrize("name", registry.names("learning.encoders"))
def test_tokens_lie_along_the_axis(name: str) -> None:
    """Whatever an encoder shows has the spectra in its second place, and changing one spectrum changes its own only."""
    configuration = configured({"type": name}, 0)
    axis = np.linspace(100, 900, 512)
    rng = np.random.default_rng(0)
    x = rng.random((24, 512)).astype(np.float32)
    rows = np.arange(24)
    task = ReplicateTask("a", configuration, 1, "d", rows, None, epochs=0, return_parameters=True)
    (result,) = train_stack([task], {"d": TrainingData(x, axis, rows // 3)})
    network = Network(configuration, result.parameters, axis, torch.device("cpu"))
    shown: list[torch.Tensor] = []
    with torch.no_grad():
        network(network.tensor(x[:3]), shown)
    for h in shown:
        assert h.dim() == 4 and h.shape[:2] == (1, 3) and 1 <= h.shape[2] <= 512


def test_shuffled_weights_keep_their_values_and_forget_the_rest() -> None:
    values = {"a": np.arange(50, dtype=np.float32).reshape(5, 10), "b": np.ones(3, np.float32)}
    mixed = shuffled(values, 1)
    assert sorted(mixed["a"].ravel()) == list(range(50)) and mixed["a"].shape == (5, 10)
    assert (mixed["a"] != values["a"]).any()
    assert (shuffled(values, 1)["a"] == mixed["a"]).all() and (shuffled(values, 2)["a"] != mixed["a"]).any()
