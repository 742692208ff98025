"""What every baseline must do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from spectrosim_search import baselines
from spectrosim_search.baselines import BaselineInput, _binary
from spectrosim_search.baselines._pair_methods import METHODS
from spectrosim_search.config import registry
from spectrosim_search.config.errors import InputError
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.simulators import simulate

NAMES = registry.names("baselines")
DIRECTED = {n for n in NAMES if getattr(registry.load("baselines", n), "DIRECTED", False)}
SEEDED = {n for n in NAMES if getattr(registry.load("baselines", n), "SEEDED", False)}
Make = Callable[..., BaselineInput]
SMALL = {"batches": 12, "channels": 96, "mz_high": 120.0, "peaks": 20}


@pytest.fixture(autouse=True)
def short_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """What every baseline must do does not depend on how long networks train."""
    monkeypatch.setattr(_binary, "TRAINING", replace(_binary.TRAINING, epochs=1))


def test_the_promised_members_are_there() -> None:
    promised = {
        "union-find",
        "cosine",
        "cosine-tuned",
        "linear-metric",
        "linear-metric-tuned",
        "training-centroid",
        "oracle",
        "weighted-cosine",
        "spectral-entropy",
        "plda",
        "plda-tuned",
        "plda-sphere-tuned",
    }
    classical = (*METHODS, "ensemble")
    promised |= {f"{name}-{kind}" for name in classical for kind in ("difference", "absolute")}
    assert promised <= set(NAMES)
    assert len({baselines.title(n) for n in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str, held_out: Make) -> None:
    data = held_out(simulate(**SMALL))
    pairs = data.pairs[0]
    none = np.empty(0, np.int64)
    swapped = PairSet(pairs.right, pairs.left, pairs.positive, pairs.stratum)
    some = PairSet(pairs.left[3:9], pairs.right[3:9], pairs.positive[3:9], pairs.stratum[3:9])
    data = replace(data, pairs=(pairs, swapped, some, PairSet(none, none, none.astype(bool), none)))
    before = data.spectra.fingerprint
    out = baselines.run(name, data)
    assert [s.shape for s in out.similarities] == [(len(p),) for p in data.pairs]
    assert all(s.dtype == np.float32 for s in out.similarities)
    if name not in DIRECTED:  # those say that they read a pair as it comes
        np.testing.assert_allclose(out.similarities[1], out.similarities[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(out.similarities[2], out.similarities[0][3:9], rtol=1e-5, atol=1e-6)
    again = baselines.run(name, data)
    assert all((a == b).all() for a, b in zip(out.similarities, again.similarities, strict=True))
    assert out.settings == again.settings
    assert "\n" not in out.settings
    assert data.spectra.fingerprint == before
    assert baselines.run(name, replace(data, pairs=())).similarities == ()


@pytest.mark.parametrize("name", [n for n in NAMES if n != "oracle"])
def test_nothing_is_learnt_from_held_out_groups_and_spectra(name: str, held_out: Make) -> None:
    """Other groups, labels and intensities of held-out rows leave what is chosen and fitted as it was."""
    data = held_out(simulate(**SMALL))
    test = np.setdiff1d(np.arange(len(data.spectra)), data.train)
    rng = np.random.default_rng(0)
    groups, labels, x = data.groups.copy(), data.labels.copy(), data.spectra.intensities.copy()
    groups[test] = rng.integers(0, 12, test.size)
    labels[test] = rng.integers(0, 2, test.size)
    x[test[1:]] = rng.gamma(1.0, size=(test.size - 1, x.shape[1])).astype(np.float32) * 1000
    other = replace(data, groups=groups, labels=labels, spectra=replace(data.spectra, intensities=x))
    probe = PairSet(test[:1], data.train[:1], np.array([False]), np.array([-1]))
    a, b = (baselines.run(name, replace(d, pairs=(probe,))) for d in (data, other))
    assert a.settings == b.settings
    assert (a.similarities[0] == b.similarities[0]).all()
    assert a.parameters.keys() == b.parameters.keys()
    for key in a.parameters:
        np.testing.assert_array_equal(a.parameters[key], b.parameters[key])


@pytest.mark.parametrize("name", [n for n in NAMES if n != "oracle"])
def test_with_a_relation_groups_are_never_read(name: str) -> None:
    s = simulate(**SMALL)
    n = len(s)
    truth = np.unique(s.groups, return_inverse=True)[1]
    rng = np.random.default_rng(1)
    relation = (truth[:, None] == truth[None]).astype(np.int8)
    hidden = np.triu(rng.random((n, n)) < 0.4, 1)
    relation[hidden | hidden.T] = -1
    left, right = np.nonzero(hidden)
    pairs = PairSet(left, right, truth[left] == truth[right], np.full(left.size, -1))
    labels = np.zeros(n, np.int64)
    made = [
        baselines.run(name, BaselineInput(s, np.arange(n), g, labels, relation, (pairs,)))
        for g in (truth, rng.permutation(truth), np.full(n, -1))
    ]
    for other in made[1:]:
        assert (other.similarities[0] == made[0].similarities[0]).all()


@pytest.mark.parametrize("name", [n for n in NAMES if n != "oracle"])
def test_negative_intensities_and_few_channels_are_taken(name: str, held_out: Make) -> None:
    s = simulate(**SMALL)
    x = (s.intensities[:, :9] - s.intensities[:, :9].mean()).astype(np.float32)
    narrow = replace(s, intensities=x, axis=s.axis[:9])
    out = baselines.run(name, held_out(narrow))
    assert "sqrt" not in out.settings
    assert "log" not in out.settings
    assert "derivative" not in out.settings


@pytest.mark.parametrize("name", [n for n in NAMES if n != "oracle"])
def test_two_training_groups_are_enough(name: str) -> None:
    s = simulate(**{**SMALL, "batches": 3, "species": 1})
    groups = np.unique(s.groups, return_inverse=True)[1]
    pairs = PairSet(np.array([6, 0]), np.array([7, 8]), np.array([True, False]), np.array([0, 0]))
    out = baselines.run(name, BaselineInput(s, np.arange(6), groups, np.zeros(9, np.int64), None, (pairs,)))
    assert np.isfinite(out.similarities[0]).all()


@pytest.mark.parametrize("name", [n for n in NAMES if n not in SEEDED])
def test_what_does_not_say_that_it_draws_does_not(name: str, held_out: Make) -> None:
    data = held_out(simulate(**SMALL))
    a, b = (baselines.run(name, replace(data, training_seed=seed)) for seed in (0, 1))
    assert (a.similarities[0] == b.similarities[0]).all()


def test_a_family_is_every_classical_classifier_of_its_kind() -> None:
    found = {n: baselines.family(n) for n in NAMES}
    for kind in ("difference", "absolute"):
        members = {f"{name}-{kind}" for name in (*METHODS, "ensemble")}
        assert {n for n, family in found.items() if family == f"pairs-{kind}"} == members
    assert sum(map(bool, found.values())) == 2 * (len(METHODS) + 1)


def test_those_that_read_a_pair_as_it_comes_are_the_signed_differences() -> None:
    of_pairs = {n for n in NAMES if n.endswith(("-difference", "-absolute")) or n.startswith("binary-")}
    assert {n for n in of_pairs if not n.endswith("-absolute")} == DIRECTED
    assert of_pairs <= SEEDED


def test_unknown_names_and_missing_truth(held_out: Make) -> None:
    data = held_out(simulate(**SMALL))
    with pytest.raises(InputError, match="did you mean 'cosine'"):
        baselines.run("cosin", data)
    with pytest.raises(InputError, match="oracle needs simulated spectra"):
        baselines.run("oracle", replace(data, spectra=replace(data.spectra, truth={})))
