"""Classifying baselines by nearest spectra: against loops, and blind to what they are to name."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectrosim_search.baselines.classifiers import ClassInput, ClassOutput
from spectrosim_search.baselines.classifiers._folds import inner_folds
from spectrosim_search.baselines.spectral_entropy import entropy_similarity, normalised
from spectrosim_search.baselines.weighted_cosine import weighted
from spectrosim_search.config import registry
from spectrosim_search.config.errors import DataError
from spectrosim_search.spectra.simulators import simulate

NAMES = ("nearest-cosine", "nearest-linear-metric", "nearest-spectral-entropy", "nearest-weighted-cosine")
FAMILY = "baselines.classifiers"


def problem(spectra: int = 6, **given) -> ClassInput:
    """Simulated batches to be named: two spectra of each are judged."""
    drawn = simulate("reims", batches=8, batch_size=spectra, channels=160, mz_high=160.0, peaks=25, **given)
    names, codes = np.unique(drawn.groups, return_inverse=True)
    judged = np.arange(codes.size) % spectra < 2
    classes = np.where(judged, -1, codes)
    blocks = np.where(judged, -1, np.arange(codes.size))
    return ClassInput(drawn, np.flatnonzero(~judged), np.flatnonzero(judged), classes, blocks, tuple(names))


def truth(given: ClassInput) -> np.ndarray:
    return np.unique(given.spectra.groups, return_inverse=True)[1][given.judged]


def run(name: str, given: ClassInput) -> ClassOutput:
    out: ClassOutput = registry.load(FAMILY, name).fit(given)
    return out


@pytest.mark.parametrize("name", NAMES)
def test_it_names_classes_better_than_chance_and_repeats(name: str) -> None:
    given = problem(batch_spread=0.6)
    out = run(name, given)
    assert (out.predicted == truth(given)).mean() > 0.4  # chance: 1/8
    again = run(name, given)
    assert (out.predicted == again.predicted).all()
    assert (out.confidence == again.confidence).all()
    assert out.confidence.dtype == np.float32


@pytest.mark.parametrize("name", NAMES)
def test_the_answer_to_a_spectrum_does_not_depend_on_the_others_asked(name: str) -> None:
    given = problem()
    few = dataclasses.replace(given, judged=given.judged[3:5])
    assert (run(name, few).predicted == run(name, given).predicted[3:5]).all()


def test_similarities_are_the_published_ones() -> None:
    given = problem()
    x, axis = given.spectra.intensities.astype(np.float64), given.spectra.axis

    def cosine(a: np.ndarray, b: np.ndarray) -> float:
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    shares, heavy = normalised(x), weighted(x, axis)
    same = {
        "nearest-cosine": lambda i, j: cosine(x[i], x[j]),
        "nearest-weighted-cosine": lambda i, j: cosine(heavy[i], heavy[j]),
        "nearest-spectral-entropy": lambda i, j: float(entropy_similarity(shares, np.array([i]), np.array([j]))[0]),
    }
    for name, similarity in same.items():
        out = run(name, given)
        for place, row in enumerate(given.judged[:5]):
            table = [similarity(row, other) for other in given.train]
            assert out.predicted[place] == given.classes[given.train[int(np.argmax(table))]]
            assert out.confidence[place] == pytest.approx(max(table), abs=1e-6)


def test_the_weighted_cosine_is_for_masses() -> None:
    given = problem()
    other = dataclasses.replace(given.spectra, axis_unit="nm")
    with pytest.raises(DataError, match="mass spectra"):
        run("nearest-weighted-cosine", dataclasses.replace(given, spectra=other))


def test_settings_are_chosen_on_training_spectra_alone() -> None:
    given = problem()
    chosen = run("nearest-linear-metric", given).settings
    noise = given.spectra.intensities.copy()
    noise[given.judged] = np.random.default_rng(0).random(noise[given.judged].shape)
    assert (
        run(
            "nearest-linear-metric",
            dataclasses.replace(given, spectra=dataclasses.replace(given.spectra, intensities=noise)),
        ).settings
        == chosen
    )


def test_two_spectra_of_each_class_leave_nothing_to_whiten_by_on_inner_folds() -> None:
    """One of the two is fitted on, the other judged: what can be chosen there is the cosine to class centres."""
    given = problem(spectra=4, batch_spread=0.6)
    assert all((given.classes[fitted] == code).sum() < 2 for fitted, _ in inner_folds(given) for code in range(8))
    out = run("nearest-linear-metric", given)
    assert out.settings.endswith("no whitening")
    assert (out.predicted == truth(given)).mean() > 0.3  # chance: 1/8


def test_inner_folds_judge_known_classes_and_cut_no_block() -> None:
    given = problem()
    pairs = np.where(given.blocks < 0, -1, given.blocks // 2)
    given = dataclasses.replace(given, blocks=pairs)
    folds = inner_folds(given)
    assert len(folds) == 3
    judged = np.concatenate([j for _, j in folds])
    assert set(judged) <= set(given.train)
    assert judged.size == np.unique(judged).size
    for fitted, asked in folds:
        assert not set(pairs[fitted]) & set(pairs[asked])
        assert set(given.classes[asked]) <= set(given.classes[fitted])
    assert inner_folds(dataclasses.replace(given, blocks=np.where(given.blocks < 0, -1, 0))) == []
