"""What every classifying baseline must do; members are found by the registry."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectrosim_search.baselines._classifiers import fit_plsda
from spectrosim_search.baselines.classifiers import ClassInput
from spectrosim_search.baselines.classifiers._choice import Grid, choose_and_classify, inner_folds
from spectrosim_search.config import registry
from spectrosim_search.spectra.simulators import simulate

NAMES = ("bpnn", "elm", "knn", "lda", "logistic-regression", "majority", "plsda", "random-forest", "svm")


@pytest.fixture(scope="module")
def given() -> tuple[ClassInput, np.ndarray]:
    """Twelve batches to learn from, four to judge, of easy simulated products; and the truth."""
    spectra = simulate("nir", classes=2, batches=16, batch_size=4, channels=60, class_spread=0.4, batch_spread=0.02)
    truth = np.unique(spectra.labels, return_inverse=True)[1].astype(np.int64)
    group = np.unique(spectra.groups, return_inverse=True)[1].astype(np.int64)
    train, judged = np.flatnonzero(group < 12), np.flatnonzero(group >= 12)
    known = np.full((2, len(spectra)), -1, dtype=np.int64)
    known[:, train] = truth[train], group[train]
    return ClassInput(spectra, train, judged, known[0], known[1], ("type 1", "type 2"), 3, 4), truth


def test_the_members_are_there() -> None:
    assert set(NAMES) <= set(registry.names("baselines.classifiers"))


@pytest.mark.parametrize("name", NAMES)
def test_each_finds_the_products(name: str, given: tuple[ClassInput, np.ndarray]) -> None:
    data, truth = given
    member = registry.load("baselines.classifiers", name)
    assert member.TITLE
    out = member.fit(data)
    right = (out.predicted == truth[data.judged]).mean()
    assert right == 0.5 if name == "majority" else right >= 0.9
    assert out.predicted.dtype == np.int64
    assert out.confidence.shape == out.predicted.shape
    assert np.isfinite(out.confidence).all()
    assert out.settings
    np.testing.assert_array_equal(member.fit(data).confidence, out.confidence)
    drawn = member.fit(dataclasses.replace(data, training_seed=5)).confidence
    assert (drawn != out.confidence).any() == member.SEEDED


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("each", [1, 2, 3])
def test_a_few_spectra_of_each_class_are_enough(name: str, each: int, given: tuple[ClassInput, np.ndarray]) -> None:
    data, truth = given
    few = np.sort(np.concatenate([data.train[truth[data.train] == code][:each] for code in range(2)]))
    hidden = np.setdiff1d(np.arange(len(truth)), few)
    classes, blocks = data.classes.copy(), data.blocks.copy()
    classes[hidden] = blocks[hidden] = -1
    out = registry.load("baselines.classifiers", name).fit(
        dataclasses.replace(data, train=few, classes=classes, blocks=blocks)
    )
    assert np.isin(out.predicted, (0, 1)).all() and np.isfinite(out.confidence).all()
    assert each < 3 or (out.predicted == truth[data.judged]).mean() >= 0.5  # of one or two no more can be asked


@pytest.mark.parametrize("name", NAMES)
def test_judged_spectra_change_nothing_for_each_other(name: str, given: tuple[ClassInput, np.ndarray]) -> None:
    data, _ = given
    member = registry.load("baselines.classifiers", name)
    out = member.fit(data)
    rows = data.judged[:3]
    intensities = data.spectra.intensities.copy()
    intensities[data.judged[3:]] *= 1.7
    altered = dataclasses.replace(data, spectra=dataclasses.replace(data.spectra, intensities=intensities), judged=rows)
    again = member.fit(altered)
    assert again.settings == out.settings
    np.testing.assert_array_equal(again.predicted, out.predicted[:3])
    np.testing.assert_allclose(again.confidence, out.confidence[:3], rtol=1e-5)


def test_inner_folds_keep_blocks_whole_and_stay_inside(given: tuple[ClassInput, np.ndarray]) -> None:
    data, _ = given
    folds = inner_folds(data)
    assert len(folds) == 3
    for fitted, judged in folds:
        assert not set(data.blocks[fitted]) & set(data.blocks[judged])
        assert set(fitted) | set(judged) == set(data.train)
    one = dataclasses.replace(data, blocks=np.where(data.blocks < 0, -1, 0))
    assert inner_folds(one) == []


def test_the_best_setting_of_the_inner_folds_is_taken(given: tuple[ClassInput, np.ndarray]) -> None:
    """A setting that names everything wrongly is never chosen, wherever it stands."""
    data, truth = given

    def fitted(x, y, seed, setting):
        model = fit_plsda(x, y, 4)
        return lambda new: model.predict_proba(new) * setting["sign"]

    for signs in ((1.0, -1.0), (-1.0, 1.0)):
        grid = Grid([{"sign": s} for s in signs])
        out = choose_and_classify(data, grid, fitted)
        assert "sign 1 " in out.settings
        assert (out.predicted == truth[data.judged]).mean() >= 0.9


def test_one_class_alone(given: tuple[ClassInput, np.ndarray]) -> None:
    data, _ = given
    one = dataclasses.replace(data, train=data.train[data.classes[data.train] == 1])
    for name in ("plsda", "majority"):
        assert (registry.load("baselines.classifiers", name).fit(one).predicted == 1).all()
