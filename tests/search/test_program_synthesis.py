"""The synthesis program: what it learns from, what it draws, what it names."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.baselines.classifiers import ClassInput
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Component, Configuration, Scalar
from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.search.documents.configurations import configuration_from_mapping
from spectrosim_search.search.programs import synthesis
from spectrosim_search.search.programs._contract import ProgramTask
from spectrosim_search.search.programs._synthesis import kept_rows
from spectrosim_search.spectra.near_duplicates import near_duplicate_blocks
from spectrosim_search.spectra.preprocessing import fit as fit_preprocessing
from spectrosim_search.spectra.readers import read
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet

SPECTRA = simulate("ei", compounds=10, spectra=5, mz_high=120, peaks=14, cut=45, noise=0.3)
SMALL: dict[str, Scalar] = {"blend": 0.2, "amount": 3, "size": 12, "depth": 2}


def configuration(intensity: str = "sqrt", **program: Scalar) -> Configuration:
    base = configuration_from_mapping(
        {
            "preprocessing": {"intensity": intensity, "scale": "none"},
            "encoder": {"type": "stepped", "depth": 2, "out": 24},
            "optimiser": {"learning_rate": 5e-3},
            "training": {"epochs": 6, "batch_size": 16},
        }
    )
    return replace(base, program=Component.of("synthesis", **{**SMALL, **program}))


def task(settings: Configuration, spectra: SpectraSet = SPECTRA, seed: int = 0) -> ProgramTask:
    names, codes = np.unique(spectra.groups, return_inverse=True)
    place = np.arange(len(spectra)) % 5
    train, judged = np.flatnonzero(place < 3), np.flatnonzero(place >= 3)
    x = fit_preprocessing(settings.preprocessing, spectra.intensities[train]).transform(spectra.intensities)
    classes = np.full(len(spectra), -1)
    classes[train] = codes[train]
    return ProgramTask("cell", settings, seed, x, spectra.axis, classes, tuple(names.tolist()), train, judged)


def given(t: ProgramTask, spectra: SpectraSet = SPECTRA) -> ClassInput:
    return ClassInput(spectra, t.train, t.judged, t.classes, t.classes, t.class_names, 0, t.seed)


@pytest.mark.parametrize("classifier", ["random-forest", "network"])
@pytest.mark.parametrize("use", ["both", "synthetic", "real"])
def test_compounds_are_named(classifier: str, use: str) -> None:
    t = task(configuration(classifier=classifier, use=use))
    result = synthesis.run(t)
    truth = np.unique(SPECTRA.groups, return_inverse=True)[1][t.judged]
    assert result.status == "finished"
    assert (result.predicted == truth).mean() > 0.5  # chance: .1
    assert result.predicted.shape == result.confidence.shape == t.judged.shape
    assert ("novelty" in result.metrics) == (use != "real")
    assert result.loss.shape == ((0,) if use == "real" else (6,))


def test_runs_repeat_and_seeds_differ() -> None:
    a, b, c = (synthesis.synthesise(task(configuration(), seed=s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(a.spectra, b.spectra)
    assert (a.spectra != c.spectra).any()
    first, second = synthesis.run(task(configuration(), seed=1)), synthesis.run(task(configuration(), seed=1))
    np.testing.assert_array_equal(first.confidence, second.confidence)


def test_nothing_is_learnt_from_judged_spectra() -> None:
    t = task(configuration(specialised=True, frozen=1, specialised_steps=3))
    x = t.spectra.copy()
    x[t.judged[1:]] = np.random.default_rng(0).gamma(1.0, size=x[t.judged[1:]].shape)
    one = replace(t, judged=t.judged[:1])
    a, b = synthesis.run(one), synthesis.run(replace(one, spectra=x))
    np.testing.assert_array_equal(a.confidence, b.confidence)
    assert a.metrics == b.metrics


def test_what_is_fitted_predicts_as_the_run_did() -> None:
    t = task(configuration(specialised=True, frozen=1, specialised_steps=3))
    parameters = synthesis.fit(t)
    assert all(v.dtype == np.float32 for v in parameters.values())
    named = synthesis.predict(t.configuration, parameters, t.spectra[t.judged], t.axis)
    result = synthesis.run(t)
    np.testing.assert_array_equal(named.argmax(axis=1), result.predicted)
    np.testing.assert_array_equal(named.max(axis=1), result.confidence)


def test_spectra_of_a_class_are_generated() -> None:
    t = task(configuration())
    parameters = synthesis.fit(t)
    made = synthesis.generate(t.configuration, parameters, 4, 7, 1, t.axis)
    assert made.shape == (7, t.axis.size)
    np.testing.assert_allclose(made.max(axis=1), 1000, rtol=1e-5)
    assert (made >= 0).all()
    np.testing.assert_array_equal(synthesis.generate(t.configuration, parameters, 4, 7, 1, t.axis), made)
    assert (synthesis.generate(t.configuration, parameters, 4, 7, 2, t.axis) != made).any()
    many = synthesis.generate(t.configuration, parameters, 4, 60, 1, t.axis)
    roots = fit_preprocessing(t.configuration.preprocessing, many).transform(many)
    named = synthesis.predict(t.configuration, parameters, roots, t.axis).argmax(axis=1)
    assert np.bincount(named, minlength=10).argmax() == 4  # most of them, of ten compounds
    with pytest.raises(InputError, match="there is no class 10"):
        synthesis.generate(t.configuration, parameters, 10, 1, 0, t.axis)


def test_a_class_never_seen_needs_a_decoder_and_its_vector() -> None:
    t = task(configuration(vectors="given"))
    seen = t.train[t.classes[t.train] != 3]
    vectors = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)
    unseen = replace(t, train=seen, side={"vectors": vectors})
    made = synthesis.generate(t.configuration, synthesis.fit(unseen), 3, 4, 0, t.axis)
    assert made.shape == (4, t.axis.size)
    plain = configuration(blend=0.0)
    parameters = synthesis.fit(replace(unseen, configuration=plain))
    assert not any(n.startswith("generator.") for n in parameters)
    with pytest.raises(InputError, match="no training spectra and the model no decoder"):
        synthesis.generate(plain, parameters, 3, 4, 0, t.axis)


def test_the_cap_on_training_spectra_holds_for_all_methods() -> None:
    t = task(configuration(spectra_per_class=1, blend=0.0))
    kept = kept_rows(t.train, t.classes, 1)
    assert np.bincount(t.classes[kept]).tolist() == [1] * 10
    assert set(kept) <= set(t.train)
    np.testing.assert_array_equal(kept_rows(t.train, t.classes, 0), t.train)
    made = synthesis.synthesise(t)
    assert made.classes.size == 30
    metrics = synthesis.run(t).metrics  # training spectra that the cap leaves unused are held out from the generator
    assert {"weighted_cosine", "similarity_ratio_above_.9", "library_match", "novelty", "distinct"} <= set(metrics)
    assert "3 made" not in synthesis.baseline("duplicates", given(t), t.configuration).settings
    assert "30 made beside 10 real" in synthesis.baseline("duplicates", given(t), t.configuration).settings
    changed = SPECTRA.intensities.copy()
    left = np.setdiff1d(t.train, kept)
    changed[left] = np.random.default_rng(0).gamma(1.0, size=changed[left].shape)
    other = replace(SPECTRA, intensities=changed)
    for name in ("none", "mixup"):
        a = synthesis.baseline(name, given(t), t.configuration)
        b = synthesis.baseline(name, given(t, other), t.configuration)
        np.testing.assert_array_equal(a.confidence, b.confidence)


@pytest.mark.parametrize("name", registry.names(synthesis.BASELINES))
def test_every_rival_names_compounds_with_the_same_classifier(name: str) -> None:
    t = task(configuration())
    out = synthesis.baseline(name, given(t), t.configuration)
    truth = np.unique(SPECTRA.groups, return_inverse=True)[1][t.judged]
    assert (out.predicted == truth).mean() > 0.5
    assert out.confidence.dtype == np.float32
    real = synthesis.run(replace(t, configuration=configuration(use="real")))
    if name == "none":
        np.testing.assert_array_equal(out.confidence, real.confidence)  # paired: nothing else differs
        assert out.metrics == {}
    else:
        assert out.metrics["novelty"] >= -1e-6


def test_what_cannot_be_done_is_said() -> None:
    scaled = configuration()
    scaled = replace(scaled, preprocessing=replace(scaled.preprocessing, scale="standard"))
    with pytest.raises(DataError, match=r"set preprocessing\.scale to none"):
        synthesis.run(task(scaled))
    with pytest.raises(DataError, match="no vectors of the classes are given"):
        synthesis.run(task(configuration(vectors="given")))
    t = task(configuration(vectors="fingerprint"))
    with pytest.raises(DataError, match=r"have shape \(3, 2\), expected \(10, D\)"):
        synthesis.run(replace(t, side={"fingerprints": np.ones((3, 2), np.float32)}))
    with pytest.raises(InputError, match="section 'program'"):
        synthesis.run(replace(t, configuration=replace(t.configuration, program=None)))


@pytest.mark.parametrize("intensity", ["none", "tic", "sqrt", "log"])
def test_generated_intensities_do_not_depend_on_how_they_were_preprocessed(intensity: str) -> None:
    settings = configuration(intensity, blend=0.0, tilt=0.0, power=0.0, noise=0.0, transfer=0.0, prior=1e6)
    t = task(settings)
    made = synthesis.generate(settings, synthesis.fit(t), 2, 3, 0, t.axis)
    own = SPECTRA.intensities[t.train[t.classes[t.train] == 2]]
    np.testing.assert_allclose(made, 1000 * own / own.max(axis=1, keepdims=True), rtol=1e-2, atol=0.5)


def test_real_compounds_of_one_spectrum_gain(real_data: Path) -> None:
    """One training spectrum a compound: changed as other instruments would record it, it is worth more than copied."""
    s = read(real_data / "massbank-ei-a" / "spectra.csv.gz")
    codes = np.unique(s.groups, return_inverse=True)[1]
    blocks = near_duplicate_blocks(s)
    first = np.array([np.flatnonzero(codes == c)[0] for c in range(codes.max() + 1)])
    judged = np.flatnonzero(~np.isin(blocks, blocks[first]))
    settings = configuration(blend=0.0, amount=6)
    x = fit_preprocessing(settings.preprocessing, s.intensities[first]).transform(s.intensities)
    classes = np.full(len(s), -1)
    classes[first] = codes[first]
    names = tuple(np.unique(s.groups).tolist())
    t = ProgramTask("real", settings, 0, x, s.axis, classes, names, first, judged)
    ours = (synthesis.run(t).predicted == codes[judged]).mean()
    rival = (synthesis.baseline("duplicates", given(t, s), settings).predicted == codes[judged]).mean()
    assert ours > rival + 0.02


def cosine(a: np.ndarray, b: np.ndarray, axis: np.ndarray) -> float:
    return float((axis * a * b).sum() / ((axis * a * a).sum() * (axis * b * b).sum()) ** 0.5)


@pytest.mark.parametrize("intensity", ["sqrt", "tic"])
def test_mirrored_pairs_are_of_one_class_and_ranked_by_similarity(intensity: str) -> None:
    t = task(configuration(intensity, blend=0.0, spectra_per_class=2))
    truth = np.unique(SPECTRA.groups, return_inverse=True)[1][t.judged]
    shown = synthesis.mirrored(t, truth)
    assert shown is not None and shown.ranked == 10 and shown.ranks.tolist() == [0, 4, 9]
    made = synthesis.synthesise(t)
    plain = made.spectra.astype(np.float64) ** (2 if intensity == "sqrt" else 1)
    real = SPECTRA.intensities[t.judged].astype(np.float64)
    alike = {
        code: np.array([[cosine(a, b, t.axis) for b in real[truth == code]] for a in plain[made.classes == code]])
        for code in range(10)
    }
    ordered = sorted(alike, key=lambda code: -alike[code].mean())
    assert shown.classes.tolist() == [ordered[i] for i in (0, 4, 9)]
    used = SPECTRA.intensities[kept_rows(t.train, t.classes, 2)]
    for i, code in enumerate(shown.classes.tolist()):
        values = np.sort(alike[code].ravel())
        assert shown.similarity[i] == pytest.approx(values[(values.size - 1) // 2], rel=1e-4)
        assert shown.class_similarity[i] == pytest.approx(values.mean(), rel=1e-4)
        assert cosine(shown.made[i], shown.real[i], t.axis) == pytest.approx(shown.similarity[i], rel=1e-4)
        near = max(cosine(shown.made[i], b, t.axis) for b in used)
        assert shown.novelty[i] == pytest.approx(1 - near, abs=1e-4)
        own = real[truth == code]
        assert np.abs(100 * own / own.max(axis=1, keepdims=True) - shown.real[i]).max(axis=1).min() < 0.01
    assert synthesis.mirrored(task(configuration(use="real")), truth) is None
