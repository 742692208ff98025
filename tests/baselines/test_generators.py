"""What every rival generator must do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from spectrosim_search.baselines.generators import GeneratorInput, GeneratorOutput
from spectrosim_search.config import registry
from spectrosim_search.search.documents.configurations import configuration_from_mapping

FAMILY = "baselines.generators"
NAMES = registry.names(FAMILY)


def given(seed: int = 0) -> GeneratorInput:
    rng = np.random.default_rng(0)
    classes = np.array([2, 0, 0, 5, 0, 2])
    x = rng.gamma(1.0, size=(6, 30)) * (rng.random((6, 30)) < 0.7)
    configuration = configuration_from_mapping({"training": {"epochs": 2, "batch_size": 4}})
    return GeneratorInput(x.astype(np.float32), classes, np.arange(20.0, 50.0), 3, seed, configuration)


def make(name: str, data: GeneratorInput) -> GeneratorOutput:
    made: GeneratorOutput = registry.load(FAMILY, name).generate(data)
    return made


def test_the_promised_rivals_are_there() -> None:
    promised = {"none", "duplicates", "noise", "peak-removal", "class-mean", "mixup", "vae"}
    assert promised <= set(NAMES)
    assert len({registry.load(FAMILY, n).TITLE for n in NAMES}) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_contract(name: str) -> None:
    data = given()
    before = data.spectra.copy()
    made = make(name, data)
    if name == "none":
        assert made.spectra.shape == (0, 30)
        return
    assert made.classes.tolist() == np.repeat(data.classes, 3).tolist()
    assert made.spectra.shape == (18, 30)
    assert made.spectra.dtype == np.float32
    assert (made.spectra >= 0).all()
    assert (made.spectra.max(axis=1) > 0).all()
    np.testing.assert_array_equal(data.spectra, before)
    np.testing.assert_array_equal(make(name, data).spectra, made.spectra)
    changed = (make(name, given(1)).spectra != made.spectra).any()
    assert changed == registry.load(FAMILY, name).SEEDED


def test_a_spectrum_descends_from_its_class_alone() -> None:
    data = given()
    others = data.spectra.copy()
    others[data.classes != 0] = 1.0
    other = replace(data, spectra=others)
    for name in ("duplicates", "noise", "peak-removal", "class-mean", "mixup"):
        a, b = make(name, data), make(name, other)
        np.testing.assert_array_equal(a.spectra[a.classes == 0], b.spectra[b.classes == 0])


def test_means_and_mixtures_are_what_they_say() -> None:
    data = given()
    mean = make("class-mean", data)
    np.testing.assert_allclose(mean.spectra[3], data.spectra[[1, 2, 4]].mean(axis=0), rtol=1e-6)
    mixed = make("mixup", replace(data, amount=40))
    own = np.repeat(np.arange(6), 40)
    alone = mixed.spectra[own == 3]
    np.testing.assert_allclose(alone, np.repeat(data.spectra[3:4], 40, axis=0), rtol=1e-6)
    partners = set()
    for row in mixed.spectra[own == 1]:
        errors = {}
        for partner in (2, 4):  # the share that fits best, by least squares
            step = data.spectra[partner] - data.spectra[1]
            share = float((row - data.spectra[1]) @ step / (step @ step))
            errors[partner] = float(np.abs(row - data.spectra[1] - share * step).max())
            assert -1e-6 <= share <= 1 + 1e-6 or errors[partner] > 1e-3
        best = min(errors, key=lambda p: errors[p])
        assert errors[best] < 1e-5
        partners.add(best)
    assert partners == {2, 4}


def test_peaks_are_removed_at_the_papers_rate() -> None:
    data = replace(given(), amount=400)
    made = make("peak-removal", data)
    source = data.spectra[data.sources]
    assert ((made.spectra == source) | (made.spectra == 0)).all()
    assert (made.spectra > 0).sum() / (source > 0).sum() == pytest.approx(0.85, abs=0.01)


def test_noise_multiplies_every_peak_around_itself() -> None:
    data = replace(given(), amount=400)
    made = make("noise", data)
    source = data.spectra[data.sources]
    assert ((made.spectra == 0) == (source == 0)).all()
    there = source > 0
    factors = np.log(made.spectra[there] / source[there])
    assert factors.mean() == pytest.approx(0.0, abs=0.01)
    assert factors.std() == pytest.approx(0.2, abs=0.01)
