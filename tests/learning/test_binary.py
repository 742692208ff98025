"""Binary classifiers of pairs: the loss against a slow twin, what is symmetric, what repeats."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.metrics import log_loss

from spectrosim_search.config.configuration import Component
from spectrosim_search.config.errors import ConfigurationError, DataError
from spectrosim_search.learning.binary import BinaryClassifier, BinaryTraining, train_binary, weighted_cross_entropy
from spectrosim_search.learning.numbered_pairs import KnownPairs

SHORT = BinaryTraining(epochs=2, batch_size=8)
AXIS = np.linspace(70, 110, 40)
GROUPS = np.repeat(np.arange(6), 3)
PAIRS = KnownPairs.of_groups(GROUPS)
LEFT, RIGHT = np.triu_indices(GROUPS.size, 1)


def spectra(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    batch = rng.normal(size=(6, 40))[GROUPS]
    return (batch + 0.2 * rng.normal(size=batch.shape)).astype(np.float32)


def trained(name: str, *, absolute: bool = False, seed: int = 3, training: BinaryTraining = SHORT) -> BinaryClassifier:
    return train_binary(Component.of(name), spectra(), AXIS, PAIRS, seed, training, absolute=absolute)


def test_the_loss_is_the_weighted_cross_entropy_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    logits, positive, weights = 3 * rng.normal(size=50), rng.random(50) < 0.2, rng.random(50)
    given = torch.from_numpy(logits)[None], torch.from_numpy(positive), torch.from_numpy(weights)
    chance = 1 / (1 + np.exp(-logits))
    expected = log_loss(positive, chance, sample_weight=weights)
    assert weighted_cross_entropy(*given).item() == pytest.approx(expected, rel=1e-12)
    flipped = log_loss(~positive, chance, sample_weight=weights)  # smoothing mixes in the other answer
    smooth = weighted_cross_entropy(*given, smoothing=0.1).item()
    assert smooth == pytest.approx(0.95 * expected + 0.05 * flipped, rel=1e-12)


def test_differences_of_all_pairs_have_a_mean_square_of_one() -> None:
    x = spectra()
    model = BinaryClassifier(Component.of("vae"), 40, 0, AXIS, absolute=False)
    model.fit_scale(x)
    given = torch.from_numpy(x)
    assert model.differences(given[LEFT], given[RIGHT]).square().mean().item() == pytest.approx(1, rel=1e-5)
    model.fit_scale(np.ones((4, 40), np.float32))
    assert model.scale == 1


@pytest.mark.parametrize("name", ["vae", "moe-transformer"])  # one draws its embedding, both add penalties
def test_training_repeats_bit_by_bit_and_follows_its_seed(name: str) -> None:
    a, b, other = trained(name), trained(name), trained(name, seed=4)
    assert torch.equal(a.values, b.values)
    x = spectra(1)
    np.testing.assert_array_equal(a.logits(x, LEFT, RIGHT), b.logits(x, LEFT, RIGHT))
    assert not np.array_equal(a.logits(x, LEFT, RIGHT), other.logits(x, LEFT, RIGHT))


def test_penalties_of_the_encoder_are_trained() -> None:
    """The decoder of a variational autoencoder serves its penalty alone: without it, it would stay where it began."""
    start = BinaryClassifier(Component.of("vae"), 40, 3, AXIS, absolute=False).values
    model = trained("vae")
    before, after = model.layout.views(start)["rebuild.weight"], model.layout.views(model.values)["rebuild.weight"]
    assert (after - before).abs().max() > 1e-3


def test_only_the_absolute_difference_is_symmetric() -> None:
    x = spectra(1)
    for absolute in (False, True):
        model = trained("kan", absolute=absolute)
        same = np.array_equal(model.logits(x, LEFT, RIGHT), model.logits(x, RIGHT, LEFT))
        assert same is absolute


def test_a_score_does_not_depend_on_the_pairs_beside_it() -> None:
    model, x = trained("cnn"), spectra(1)
    whole = model.logits(x, LEFT, RIGHT)
    alone = np.concatenate([model.logits(x, LEFT[i : i + 1], RIGHT[i : i + 1]) for i in range(LEFT.size)])
    np.testing.assert_allclose(alone, whole, rtol=1e-6, atol=1e-9)


def test_identical_spectra_have_a_finite_score() -> None:
    x = np.zeros((2, 40), np.float32)
    assert np.isfinite(trained("transformer").logits(x, np.array([0]), np.array([1]))).all()


def test_training_lowers_the_loss() -> None:
    def loss(training: BinaryTraining) -> float:
        positive = GROUPS[LEFT] == GROUPS[RIGHT]
        logits = torch.from_numpy(trained("vae", training=training).logits(spectra(), LEFT, RIGHT))[None]
        weights = torch.from_numpy(np.where(positive, 1 / positive.mean(), 1 / (~positive).mean()))
        return weighted_cross_entropy(logits, torch.from_numpy(positive), weights).item()

    assert loss(replace(SHORT, epochs=20)) < 0.5 * loss(replace(SHORT, epochs=0))


def test_both_kinds_of_pairs_are_needed() -> None:
    for groups, line in (([0, 0, 0], "3 of one group and 0 of"), ([0, 1, 2], "0 of one group and 3 of")):
        with pytest.raises(DataError, match=line):
            known = KnownPairs.of_groups(np.array(groups))
            train_binary(Component.of("vae"), spectra()[:3], AXIS, known, 0, SHORT, absolute=False)


def test_an_encoder_that_fits_on_spectra_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="whitened fits on spectra"):
        trained("whitened")
