"""The winner's models for the eye: pairs that every seed found, and a planted signal that all of them see."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from spectrosim_search.learning.components import resolve
from spectrosim_search.search.axis_view import _chosen, _others, axis_view
from spectrosim_search.search.embedding_map import embedding_map
from spectrosim_search.search.plan import first_configuration
from spectrosim_search.search.shown import ShownModel, train_shown
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.spectra_set import SpectraSet
from tests.search.searching import small_study

SIGNAL = slice(32, 40)


def planted() -> SpectraSet:
    """96 spectra of 24 groups and two labels, told apart by eight channels alone."""
    rng = np.random.default_rng(2)
    x = 5 + rng.normal(0, 0.2, (96, 64))
    x[:, SIGNAL] += np.repeat(rng.normal(0, 1.5, (24, 8)), 4, axis=0)
    words = [np.array([f"{w}{i // 4 % n}" for i in range(96)]) for w, n in (("g", 24), ("l", 2))]
    ids = np.array([f"s{i}" for i in range(96)])
    return SpectraSet(x.astype(np.float32), np.linspace(100, 163, 64), "Th", ids, *words, np.full(96, ""))


@pytest.fixture(scope="module")
def models() -> list[ShownModel]:
    study = small_study(options=["training.epochs=40", "preprocessing.intensity=none", "encoder.patch=8"])
    return train_shown(Workbench(planted(), study), first_configuration(study), 3)


def codes(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.asarray(rows) // 4


def test_models_differ_by_their_seed_and_share_their_fold(models: list[ShownModel]) -> None:
    assert len(models) == 3
    assert all((m.rows == models[0].rows).all() for m in models)
    name = next(iter(models[0].parameters))
    assert (models[0].parameters[name] != models[1].parameters[name]).any()
    flat = embedding_map(models[:1])
    assert set(np.flatnonzero(np.isfinite(flat).all(axis=1))) == set(models[0].rows)


def test_pairs_are_same_batch_found_by_all_and_have_a_baseline_of_the_same_label(models: list[ShownModel]) -> None:
    chosen = np.array(_chosen(models))
    assert 4 <= len(chosen) <= 32
    left, right, other = chosen.T
    assert (codes(left) == codes(right)).all() and (codes(other) != codes(left)).all()
    assert (codes(other) % 2 == codes(left) % 2).all(), "of the same label where the half has one"
    blind = dataclasses.replace(models[1], pairs=tuple(dataclasses.replace(p, threshold=2.0) for p in models[1].pairs))
    assert _chosen([models[0], blind]) == []
    assert axis_view([models[0], blind]) is None and axis_view([]) is None
    assert set(codes(_others(models[0].pairs, int(left[0])))) & {int(codes(left)[0])} == set()


def test_every_seed_sees_the_planted_channels(models: list[ShownModel]) -> None:
    view = axis_view(models)
    assert view is not None
    assert view.gradients.shape == view.shuffled.shape == view.activations.shape == (3, 64)
    for own in view.gradients:
        assert own[SIGNAL].sum() > 0.3 * np.abs(own).sum()  # of an eighth of the channels
    assert view.gap < 0.05
    assert view.axis[0] == 100 and view.pairs == len(_chosen(models))
    agreement = np.corrcoef(view.gradients)[np.triu_indices(3, 1)].mean()
    random = [np.corrcoef(a, b)[0, 1] for a, b in zip(view.gradients, view.shuffled)]
    assert agreement > 0.5 > max(random)


@pytest.mark.parametrize("comparison", ["euclidean", "plda"])
def test_models_that_do_not_compare_by_cosine_are_shown_too(comparison: str) -> None:
    study = small_study(options=["preprocessing.intensity=none"])
    first = first_configuration(study)
    own = dataclasses.replace(first.training, epochs=0, similarity="encoder", comparison=comparison)
    encoder = resolve("encoders", {"type": "whitened", "components": 10})
    models = train_shown(Workbench(planted(), study), dataclasses.replace(first, encoder=encoder, training=own), 2)
    view = axis_view(models)
    assert view is not None
    assert view.gap < 0.05, "attributions sum to the change of the similarity"
    for seen in view.gradients:
        assert seen[SIGNAL].sum() > 0.3 * np.abs(seen).sum()
    flat = embedding_map(models)
    assert set(np.flatnonzero(np.isfinite(flat).all(axis=1))) == set(models[0].rows)
