"""Generators: what they learn, what they draw, and that nothing but their seed decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.learning import synthesis
from spectrosim_search.learning.acquisition import Variation, learn, limits, vary
from spectrosim_search.learning.randomness import RowStream, Stream
from spectrosim_search.learning.rebuilding import even, remove_peaks, weighted_cosine
from spectrosim_search.learning.steps import widths
from spectrosim_search.learning.synthesis import Prescribed, SynthesisData
from spectrosim_search.learning.synthesis_drawing import Drawing, draw
from spectrosim_search.learning.synthesis_vae import vae_spectra
from spectrosim_search.search.documents.configurations import configuration_from_mapping
from spectrosim_search.spectra.simulators import simulate

SETTINGS = Prescribed(size=16, depth=2, match=1.0, cosine=1.0, removal=0.15)
STILL = Variation(0.0, 0.0, 0.0)


def configuration(epochs: int = 30, encoder: str = "stepped") -> Configuration:
    return configuration_from_mapping(
        {
            "preprocessing": {"intensity": "sqrt", "scale": "none"},
            "encoder": {"type": encoder, "out": 24} if encoder != "whitened" else {"type": encoder, "components": 8},
            "optimiser": {"learning_rate": 5e-3},
            "training": {"epochs": epochs, "batch_size": 16},
        }
    )


@pytest.fixture(scope="module")
def data() -> SynthesisData:
    s = simulate("ei", compounds=8, spectra=4, mz_high=100, peaks=12, cut=30)
    x = np.sqrt(s.intensities / s.intensities.sum(axis=1, keepdims=True)).astype(np.float32)
    return SynthesisData(x, np.unique(s.groups, return_inverse=True)[1], s.axis, 8)


def rows(count: int, step: int = 0) -> RowStream:
    return RowStream(Stream.of_seeds([3], step), count, 0)


def test_widths_are_the_papers() -> None:
    paper = (797, 765, 733, 701, 669, 637, 605, 573, 541, 512)
    assert all(abs(a - b) <= 3 for a, b in zip(widths(797, 512, 9), paper, strict=True))
    assert widths(5, 9, 1) == (5, 9)


def test_weighted_cosine_is_the_sum() -> None:
    axis = torch.arange(10.0, 20.0)
    a, b = torch.rand(3, 10, generator=torch.Generator().manual_seed(0)), torch.rand(3, 10)
    for row in range(3):
        top = sum(float(m * p * q) for m, p, q in zip(axis, a[row], b[row], strict=True))
        below = sum(float(m * p * p) for m, p in zip(axis, a[row], strict=True)) ** 0.5
        below *= sum(float(m * q * q) for m, q in zip(axis, b[row], strict=True)) ** 0.5
        assert float(weighted_cosine(a, b, axis)[row]) == pytest.approx(top / below, rel=1e-5)
    assert float(weighted_cosine(0 * a, b, axis).abs().max()) == 0.0


def test_peaks_are_removed_and_never_added() -> None:
    x = torch.rand(500, 40) * (torch.rand(500, 40) < 0.5)
    out = remove_peaks(x, 0.15, rows(500))
    assert ((out == x) | (out == 0)).all()
    assert float((out > 0).sum() / (x > 0).sum()) == pytest.approx(0.85, abs=0.01)
    alone = torch.zeros(200, 40)
    alone[:, 7] = 1.0
    assert (remove_peaks(alone, 0.9, rows(200)) == alone).all()  # a spectrum never loses everything


def test_variation_is_measured_within_classes_and_shrunk(data: SynthesisData) -> None:
    rng = np.random.default_rng(0)
    axis, count = np.arange(20.0, 120.0), 200
    log_mz = np.log(axis / axis[-1])
    profile = rng.normal(scale=1.5, size=(count, axis.size))
    classes = np.repeat(np.arange(count), 2)
    deviation = rng.normal(scale=0.8, size=(2 * count, 1)) * log_mz + rng.normal(scale=0.2, size=(2 * count, axis.size))
    power = np.exp(rng.normal(scale=0.1, size=(2 * count, 1)))
    x = np.exp(power * profile[classes] + deviation).astype(np.float32)
    found = learn(x, classes, axis, Variation(9.0, 9.0, 9.0), 0.0)
    assert found.tilt == pytest.approx(0.8, rel=0.2)
    assert found.power == pytest.approx(0.1, rel=0.3)
    assert found.noise == pytest.approx(0.2, rel=0.15)
    prior = Variation(3.0, 1.0, 1.0)
    half = learn(x, classes, axis, prior, float(count))
    assert half.tilt == pytest.approx(((prior.tilt**2 + found.tilt**2) / 2) ** 0.5)
    assert learn(x[::2], np.arange(count), axis, prior, 5.0) == prior  # one spectrum a class tells nothing


def varied(
    x: torch.Tensor, axis: torch.Tensor, donors: torch.Tensor, variation: Variation, transfer: float
) -> torch.Tensor:
    spread = torch.tensor(variation.spreads).view(1, 1, 3)
    share = torch.tensor(transfer).view(1, 1, 1)
    return vary(x[None], axis[None], spread, donors[None], share, rows(len(x)))[0]


def test_varied_spectra_have_a_donors_limits_and_no_new_peaks(data: SynthesisData) -> None:
    x, axis = torch.from_numpy(data.spectra), torch.from_numpy(data.axis).float()
    known = limits(x, axis)
    for row in range(4):
        seen = np.flatnonzero(data.spectra[row])
        assert float(known[row, 0]) == data.axis[seen[0]]
        assert float(known[row, 1]) == pytest.approx(data.spectra[row, seen].min() / data.spectra[row].max())
    assert torch.equal(varied(x, axis, known, STILL, 0.0), x)
    donor = torch.tensor([[40.0, 0.3]])
    out = varied(x, axis, donor, Variation(0.5, 0.2, 0.3), 1.0)
    assert (out[x == 0] == 0).all()
    share = out / out.amax(dim=1, keepdim=True)
    assert float(share[share > 0].min()) >= 0.3 * (1 - 1e-5)
    cut = out[:, axis < 40].sum(dim=1) == 0
    assert cut.any()


@pytest.mark.parametrize("encoder", ["stepped", "transformer", "whitened", "vae"])
def test_any_encoder_learns_to_rebuild(data: SynthesisData, encoder: str) -> None:
    fitted = synthesis.fit(data, SETTINGS, configuration(encoder=encoder), 0)
    assert fitted.status == "finished"
    assert fitted.loss.shape == (30,)
    assert fitted.loss[-1] < 0.7 * fitted.loss[0]
    assert fitted.parameters["vectors"].shape == (8, 16)


def test_given_vectors_are_what_spectra_are_encoded_as(data: SynthesisData) -> None:
    given = np.random.default_rng(0).normal(size=(8, 5)).astype(np.float32)
    with_vectors = replace(data, vectors=given)
    fitted = synthesis.fit(with_vectors, SETTINGS, configuration(60), 0)
    unit = given / np.sqrt((given**2).mean(axis=1, keepdims=True))
    np.testing.assert_allclose(fitted.parameters["vectors"], unit, rtol=1e-5)
    model = synthesis.Autoencoder(SETTINGS, configuration(), with_vectors, "cpu")
    p = {n: torch.from_numpy(v)[None] for n, v in fitted.parameters.items()}
    hidden = model.encode(p, even(torch.from_numpy(data.spectra))[None], None, [])[0].numpy()
    distance = ((hidden[:, None] - unit[None]) ** 2).sum(axis=2)
    assert (distance.argmin(axis=1) == data.classes).mean() > 0.9


def test_specialised_decoders_start_general_keep_frozen_layers_and_fit_their_class(data: SynthesisData) -> None:
    c = configuration(5)
    part = np.flatnonzero(data.classes != 3)  # one class has no training spectra
    some = replace(data, spectra=data.spectra[part], classes=data.classes[part])
    general = synthesis.fit(some, SETTINGS, c, 0)
    special = synthesis.specialise(general, some, SETTINGS, c, 0, frozen=1, steps=40)
    own = {n for n in special.parameters if n.startswith("special.")}
    assert own == {"special.layer0.weight", "special.layer0.bias"}
    weight = special.parameters["special.layer0.weight"]
    np.testing.assert_array_equal(weight[3], general.parameters["decoder.layer0.weight"])
    assert (weight[2] != general.parameters["decoder.layer0.weight"]).any()
    for name, value in general.parameters.items():
        np.testing.assert_array_equal(special.parameters[name], value)
    sources = np.arange(len(part))
    drawing = Drawing(1.0, 0.0, 0.0, STILL)
    error = []
    for fitted in (general, special):
        made = draw(fitted.parameters, some, SETTINGS, c, drawing, sources, some.classes, 1)
        error.append(((made - some.spectra) ** 2).sum())
    assert error[1] < error[0]
    assert synthesis.specialise(general, some, SETTINGS, c, 0, frozen=2, steps=40) is general


def test_draws_depend_on_the_seed_alone(data: SynthesisData) -> None:
    c = configuration(3)
    a, b, other = (synthesis.fit(data, SETTINGS, c, seed) for seed in (4, 4, 5))
    for name in a.parameters:
        np.testing.assert_array_equal(a.parameters[name], b.parameters[name])
    assert any((a.parameters[n] != other.parameters[n]).any() for n in a.parameters)
    drawing = Drawing(0.5, 0.1, 0.9, Variation(1.0, 0.2, 0.3))
    sources = np.repeat(np.arange(len(data.classes)), 2)
    made = [
        draw(f.parameters, data, SETTINGS, c, drawing, sources, data.classes[sources], seed)
        for f, seed in ((a, 1), (b, 1), (a, 2))
    ]
    np.testing.assert_array_equal(made[0], made[1])
    assert (made[0] != made[2]).any()
    assert (made[0] >= 0).all()
    np.testing.assert_allclose(
        np.linalg.norm(made[0], axis=1), np.linalg.norm(data.spectra[sources], axis=1), rtol=1e-4
    )


def test_a_class_without_spectra_is_decoded_from_its_vector(data: SynthesisData) -> None:
    c = configuration(40)
    given = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    part = np.flatnonzero(data.classes != 3)
    some = replace(data, spectra=data.spectra[part], classes=data.classes[part], vectors=given)
    fitted = synthesis.fit(some, SETTINGS, c, 0)
    drawing = Drawing(0.0, 0.0, 0.0, STILL)
    made = draw(fitted.parameters, some, SETTINGS, c, drawing, np.array([-1, -1]), np.array([3, 3]), 0)
    assert made.shape == (2, data.axis.size)
    assert (made.max(axis=1) > 0).all()
    np.testing.assert_allclose(made[0], made[1], atol=1e-6)  # without noise a vector has one spectrum


def test_training_stops_on_request_and_says_when_it_diverges(data: SynthesisData) -> None:
    stopped = synthesis.fit(data, SETTINGS, configuration(9), 0, on_epoch=lambda epoch, loss: epoch == 2)
    assert (stopped.status, stopped.loss.shape) == ("stopped", (2,))
    broken = replace(data, vectors=np.full((8, 3), np.nan, np.float32))
    assert synthesis.fit(broken, SETTINGS, configuration(2), 0).status == "diverged"


def test_the_vae_draws_around_its_sources(data: SynthesisData) -> None:
    sources = np.arange(len(data.classes))
    made = vae_spectra(data.spectra, sources, configuration(80), 0, size=12, depth=2, weight=0.001)
    assert made.shape == data.spectra.shape
    assert (made >= 0).all()
    own = (made * data.spectra).sum(axis=1) / np.linalg.norm(made, axis=1) / np.linalg.norm(data.spectra, axis=1)
    turned = np.roll(data.spectra, 4, axis=0)
    other = (made * turned).sum(axis=1) / np.linalg.norm(made, axis=1) / np.linalg.norm(turned, axis=1)
    assert own.mean() > other.mean() + 0.2
    again = vae_spectra(data.spectra, sources, configuration(80), 0, size=12, depth=2, weight=0.001)
    np.testing.assert_array_equal(made, again)
