"""Identification: an encoder and a gallery, judged spectra unseen."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from spectrosim_search.baselines.classifiers import ClassInput
from spectrosim_search.config.configuration import Component
from spectrosim_search.config.errors import ConfigurationError, InputError, RunError
from spectrosim_search.evaluation.identification import Gallery
from spectrosim_search.evaluation.mixtures import at_least, draw_mixtures, mixture_spectra, name_components
from spectrosim_search.learning.engine import single_thread
from spectrosim_search.search.documents.configurations import configuration_from_mapping
from spectrosim_search.search.programs import ProgramTask, identify
from spectrosim_search.spectra.simulators import simulate

TABLE = {"classes": 12, "channels": 600, "margin": 40, "shift": 6, "class_distance": 30}


@pytest.fixture(autouse=True)
def one_thread():
    with single_thread():
        yield


def task(known: int = 9, spectra: int = 8, training: dict[str, Any] | None = None, **settings: Any) -> ProgramTask:
    """Simulated classes: all but two spectra of the first `known` are for training; classes behind are not known."""
    drawn = simulate("class-table", spectra=spectra, **TABLE)
    names, codes = np.unique(drawn.groups, return_inverse=True)
    judged = (np.arange(codes.size) % spectra < 2) | (codes >= known)
    base = configuration_from_mapping(
        {
            "encoder": {"type": "cnn", "width": 8, "regions": 16, "out": 32, "dropout": 0.0},
            "head": {"type": "identity"},
            "objective": {"type": "triplet"},
            "augmentations": {},
            "positives": {"source": "groups"},
            "optimiser": {"learning_rate": 0.01},
            "training": {"batch_size": 24, "epochs": 30, **(training or {})},
        }
    )
    return ProgramTask(
        key="one",
        configuration=dataclasses.replace(base, program=Component.of("identify", **settings)),
        seed=3,
        spectra=np.sqrt(drawn.intensities),
        axis=drawn.axis,
        classes=np.where(judged, -1, codes),
        class_names=tuple(names[:known]),
        train=np.flatnonzero(~judged),
        judged=np.flatnonzero(judged & (codes < known)),
    )


def truth(given: ProgramTask) -> np.ndarray:
    drawn = simulate("class-table", spectra=8, **TABLE)
    return np.unique(drawn.groups, return_inverse=True)[1]


@pytest.mark.parametrize("readout", ["centroid", "nearest"])
def test_it_learns_and_names_spectra_it_has_not_seen(readout: str) -> None:
    given = task(readout=readout)
    told: list[float] = []
    result = identify.run(given, on_epoch=lambda epoch, loss: told.append(loss) is not None)
    assert result.status == "finished"
    assert (result.predicted == truth(given)[given.judged]).mean() > 0.8
    np.testing.assert_allclose(told, result.loss, rtol=1e-6)
    assert result.loss[-1] < result.loss[0] / 2
    parameters = identify.fit(given)
    scores = identify.predict(given.configuration, parameters, given.spectra[given.judged], given.axis)
    assert scores.shape == (given.judged.size, 9)
    assert (scores.argmax(axis=1) == result.predicted).all()
    np.testing.assert_allclose(scores.max(axis=1), result.confidence, atol=1e-5)
    assert identify.known(parameters, scores).all()
    assert all(value.dtype == np.float32 for value in parameters.values())


def test_nothing_about_judged_spectra_is_used() -> None:
    given = task(training={"epochs": 2}, reject=0.1)
    other = given.spectra.copy()
    other[given.judged] = 0.5
    a, b = identify.fit(given), identify.fit(dataclasses.replace(given, spectra=other))
    assert a.keys() == b.keys()
    assert all((a[name] == b[name]).all() for name in a)


def test_new_classes_join_the_gallery_without_training() -> None:
    given = task()
    codes = truth(given)
    parameters = identify.fit(given)
    new = np.flatnonzero(codes >= 9)
    gallery, asked = new[np.arange(new.size) % 8 >= 2], new[np.arange(new.size) % 8 < 2]
    larger = identify.enrol(given.configuration, parameters, given.spectra[gallery], given.axis, codes[gallery])
    assert identify.gallery(larger).count == 12
    scores = identify.predict(given.configuration, larger, given.spectra[asked], given.axis)
    assert (scores.argmax(axis=1) == codes[asked]).mean() > 0.6  # chance: 1/12
    before = identify.predict(given.configuration, parameters, given.spectra[asked], given.axis)
    np.testing.assert_allclose(scores[:, :9], before, atol=1e-5)
    with pytest.raises(InputError, match="every class"):
        identify.enrol(given.configuration, parameters, given.spectra[asked], given.axis, np.full(asked.size, 20))


def mixed(known: int = 9, **settings: Any) -> tuple[ProgramTask, dict[int, np.ndarray]]:
    """The same task, with mixtures of judged spectra and their classes; training spectra may be mixed."""
    given = task(known, **settings)
    raw = simulate("class-table", spectra=8, **TABLE).intensities
    codes = truth(given)
    rows = {k: given.judged[draw_mixtures(codes[given.judged], k, 150, 1)] for k in (2, 3)}

    def mix(own: np.ndarray) -> np.ndarray:
        assert np.isin(own, given.train).all()
        return np.sqrt(mixture_spectra(raw, own))

    mixtures = {k: np.sqrt(mixture_spectra(raw, own)) for k, own in rows.items()}
    return dataclasses.replace(given, mixtures=mixtures, mix=mix), {k: codes[own] for k, own in rows.items()}


def test_components_are_named_by_what_mixtures_of_training_spectra_teach() -> None:
    given, wanted = mixed()
    found = identify.run(given).components
    plain = identify.run(dataclasses.replace(given, mix=None)).components
    zero = dataclasses.replace(
        given, configuration=dataclasses.replace(given.configuration, program=Component.of("identify", mixing=0))
    )
    assert all(np.array_equal(a, plain[k]) for k, a in identify.run(zero).components.items())
    learnt, parameters = identify.fit(given), identify.fit(zero)
    assert set(learnt) - set(parameters) == {"mixing.parts", "mixing.whitening"}
    assert all((learnt[n] == parameters[n]).all() for n in parameters)  # nothing else changes
    for k, classes in wanted.items():
        assert at_least(found[k], classes)[-1] > at_least(plain[k], classes)[-1] + 0.05
        z = identify.embed(given.configuration, learnt, given.mixtures[k], given.axis)
        assert np.array_equal(identify.components(learnt, z, k)[0][-1], found[k])
        centres = identify.gallery(parameters).centroids
        assert np.array_equal(name_components(z, centres, k)[0][-1], identify.components(parameters, z, k)[0][-1])
        assert np.array_equal(name_components(z, centres, k)[0][-1], plain[k])


def test_classes_that_come_later_are_found_in_mixtures() -> None:
    given, _ = mixed()
    parameters, codes = identify.fit(given), truth(given)
    new = np.flatnonzero(codes >= 9)
    more = new[np.arange(new.size) % 8 >= 2]
    larger = identify.enrol(given.configuration, parameters, given.spectra[more], given.axis, codes[more])
    assert np.array_equal(larger["mixing.parts"][:9], parameters["mixing.parts"])
    assert larger["mixing.parts"].shape == (12, 32)
    raw = simulate("class-table", spectra=8, **TABLE).intensities
    asked = np.flatnonzero(np.arange(codes.size) % 8 < 2)
    rows = asked[draw_mixtures(codes[asked], 2, 200, 3)]
    z = identify.embed(given.configuration, larger, np.sqrt(mixture_spectra(raw, rows)), given.axis)
    sets = identify.components(larger, z, 2)[0][-1]
    both_new = (codes[rows] >= 9).all(axis=1)
    assert both_new.any() and at_least(sets[both_new], codes[rows][both_new])[0] > 0.5  # chance: about 1 in 3


def test_a_threshold_comes_from_spectra_that_training_did_not_see() -> None:
    given = task(spectra=8, reject=0.2, calibration=0.34)
    result = identify.run(given)
    parameters = identify.fit(given)
    assert result.metrics["threshold"] == pytest.approx(float(parameters["threshold"][0]))
    assert result.metrics["rejected"] == pytest.approx((result.confidence < parameters["threshold"][0]).mean())
    unknown = np.flatnonzero(truth(given) >= 9)
    scores = identify.predict(given.configuration, parameters, given.spectra[unknown], given.axis)
    assert 0 < (~identify.known(parameters, scores)).mean() > result.metrics["rejected"]
    # the spectra set aside: the same training without them gives the same network
    aside = identify._set_aside(given, identify._settings(given.configuration))
    assert np.bincount(given.classes[given.train[aside]]).tolist() == [2] * 9
    rest = dataclasses.replace(
        given,
        train=given.train[~aside],
        classes=np.where(np.isin(np.arange(given.classes.size), given.train[~aside]), given.classes, -1),
        configuration=dataclasses.replace(given.configuration, program=Component.of("identify")),
    )
    alone = identify.fit(rest)
    assert all((alone[n] == parameters[n]).all() for n in alone if n.startswith("network."))
    known = Gallery(alone["gallery.embeddings"], alone["gallery.classes"].astype(int))
    held_out = identify.embed(given.configuration, alone, given.spectra[given.train[aside]], given.axis)
    confidence = np.sort(known.scores(held_out).max(axis=1))
    assert parameters["threshold"][0] == confidence[int(0.2 * 19) - 1]


def test_a_run_that_diverges_says_so() -> None:
    given = task(training={"epochs": 2})
    broken = given.spectra.copy()
    broken[given.train] = np.float32(1e38)
    result = identify.run(dataclasses.replace(given, spectra=broken))
    assert result.status == "diverged"
    assert result.reason
    assert result.predicted.shape == given.judged.shape
    with pytest.raises(RunError, match=r"training diverged .*: lower"):
        identify.fit(dataclasses.replace(given, spectra=broken))


def test_a_run_can_be_stopped() -> None:
    result = identify.run(task(), on_epoch=lambda epoch, loss: epoch == 2)
    assert (result.status, result.loss.size) == ("stopped", 2)
    assert "epoch 2" in result.reason


def test_unknown_settings_are_refused() -> None:
    given = task(training={"epochs": 1}, readuot="nearest")
    with pytest.raises(ConfigurationError, match=r"readuot.*readout"):
        identify.run(given)


def test_reference_rows_are_those_of_the_family() -> None:
    given = task()
    drawn = simulate("class-table", spectra=8, **TABLE)
    asked = ClassInput(
        drawn, given.train, given.judged, given.classes, np.arange(given.classes.size), given.class_names
    )
    found = identify.baseline("nearest-cosine", asked, given.configuration)
    assert (found.predicted == truth(given)[given.judged]).mean() > 0.3
