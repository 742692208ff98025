"""Components of mixtures: the beam against every combination, the order against what validation says."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.identification import unit_rows
from spectrosim_search.evaluation.mixtures import (
    at_least,
    beam_search,
    choose_order,
    draw_mixtures,
    exhaustive_search,
    learn_steps,
    mixed,
    non_negative_least_squares,
    set_score,
)


def world(classes: int = 24, features: int = 12, queries: int = 40, order: int = 3, noise: float = 0.4, seed: int = 0):
    """Centres that are not orthogonal, and noisy sums of `order` of them."""
    rng = np.random.default_rng(seed)
    centres = unit_rows(rng.normal(size=(classes, features)) + 0.4)
    truth = np.array([rng.choice(classes, order, replace=False) for _ in range(queries)])
    z = centres[truth].sum(axis=1) + noise * rng.normal(size=(queries, features))
    z = unit_rows(z)
    return z, centres, np.sort(truth, axis=1), (z @ centres.T).astype(np.float64), (centres @ centres.T).astype(float)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_every_combination_is_compared_and_the_streams_end_does_not_matter(order: int, monkeypatch) -> None:
    z, centres, _, a, gram = world(classes=9, order=order, queries=7)
    best = []
    for query in z:  # the paper's algorithm: list all sums, normalise them, take the nearest
        sums = {s: centres[list(s)].sum(axis=0) for s in combinations(range(9), order)}
        best.append(max(sums, key=lambda s, q=query: float(q @ sums[s] / np.linalg.norm(sums[s]))))
    for cells in (1, 100, 4_000_000):
        monkeypatch.setattr("spectrosim_search.evaluation.mixtures._CELLS_AT_ONCE", cells)
        found, score = exhaustive_search(a, gram, order)
        assert found.tolist() == [list(s) for s in best]
        np.testing.assert_allclose(score, set_score(a, gram, found), atol=1e-12)


@pytest.mark.parametrize(("order", "classes"), [(2, 60), (3, 30), (4, 16)])
def test_the_beam_finds_what_listing_everything_finds(order: int, classes: int) -> None:
    _, _, _, a, gram = world(classes=classes, order=order, queries=200, noise=0.3)
    sets, scores = beam_search(a, gram, order)
    for k in range(order):
        assert sets[k].shape == (200, k + 1)
        assert (np.diff(sets[k], axis=1) > 0).all()  # distinct, rising
        np.testing.assert_allclose(scores[k], set_score(a, gram, sets[k]), atol=1e-9)
    found, score = exhaustive_search(a, gram, order)
    assert (scores[-1] <= score + 1e-9).all()
    assert (sets[-1] == found).all(axis=1).mean() >= 0.995


def test_swaps_mend_what_a_narrow_beam_missed() -> None:
    _, _, _, a, gram = world(classes=40, order=3, queries=300, noise=0.5)
    best = exhaustive_search(a, gram, 3)[0]
    alone, _ = beam_search(a, gram, 3, beam=1, swap=False)
    mended, scores = beam_search(a, gram, 3, beam=1)
    share = [(s[-1] == best).all(axis=1).mean() for s in (alone, mended)]
    assert share[0] + 0.1 < share[1]
    assert (scores[-1] >= set_score(a, gram, alone[-1]) - 1e-9).all()


def test_the_beam_does_not_depend_on_the_queries_beside(monkeypatch) -> None:
    _, _, _, a, gram = world()
    sets, _ = beam_search(a, gram, 3)
    monkeypatch.setattr("spectrosim_search.evaluation.mixtures._CELLS_AT_ONCE", 1)
    single, _ = beam_search(a, gram, 3)
    assert (sets[-1] == single[-1]).all()
    assert [s.shape for s in beam_search(a[:0], gram, 2)[0]] == [(0, 1), (0, 2)]
    with pytest.raises(InputError, match="mixtures of 25 classes"):
        beam_search(a, gram, 25)


def test_least_squares_finds_clean_sums() -> None:
    z, centres, truth, _, _ = world(classes=8, features=20, noise=0.02)
    assert (non_negative_least_squares(z, centres, 3) == truth).all()
    assert (non_negative_least_squares(np.flip(z, axis=0), centres, 3) == truth[::-1]).all()


def test_the_order_is_chosen_by_what_validation_mixtures_showed() -> None:
    rng = np.random.default_rng(0)
    tables, orders = [], []
    for k in (1, 2, 3):
        _, _, _, a, gram = world(classes=30, features=40, order=k, queries=120, noise=0.03, seed=k)
        tables.append(np.stack(beam_search(a, gram, 4)[1], axis=1))
        orders.append(np.full(120, k))
    scores, order = np.concatenate(tables), np.concatenate(orders)
    choosing = rng.random(360) < 0.5
    steps = learn_steps(scores[choosing], order[choosing])
    assert steps[2] == np.inf  # no validation mixture had four components
    assert (choose_order(scores[~choosing], steps) == order[~choosing]).mean() > 0.95
    assert choose_order(
        np.array([[0.5, 0.4], [0.5, 0.9]]), learn_steps(np.array([[0.1, 0.9]]), np.array([2]))
    ).tolist() == [
        2,
        2,
    ]


def test_mixtures_are_drawn_of_distinct_classes_and_added_up_as_measured() -> None:
    classes = np.array([0, 0, 1, 1, 1, 2, 3, 3])
    rows = draw_mixtures(classes, 3, 4000, seed=5)
    of = np.sort(classes[rows], axis=1)
    assert (np.diff(of, axis=1) > 0).all()
    assert np.bincount(classes[rows].ravel()) / 12000 == pytest.approx([0.25] * 4, abs=0.02)
    assert np.bincount(rows.ravel()) / 12000 == pytest.approx(
        [1 / 8] * 2 + [1 / 12] * 3 + [1 / 4] + [1 / 8] * 2, abs=0.02
    )
    assert (rows == draw_mixtures(classes, 3, 4000, seed=5)).all()
    assert (rows != draw_mixtures(classes, 3, 4000, seed=6)).any()
    spectra = np.array([[1, 0, 0, 0.5], [0, 1, 0, 0.5], [0, 0, 1, 0.25]], dtype=np.float32)
    np.testing.assert_allclose(mixed(spectra, np.array([[0, 1], [2, 0]])), [[1, 1, 0, 1], [1, 0, 1, 0.75]])
    with pytest.raises(InputError, match="mixtures of 5 classes"):
        draw_mixtures(classes, 5, 1, seed=0)


def test_right_components_are_counted() -> None:
    found = np.array([[0, 1, 2], [0, 1, 9], [7, 8, 9], [2, 1, 0]])
    truth = np.array([[2, 1, 0], [0, 1, 2], [0, 1, 2], [3, 4, 0]])
    np.testing.assert_allclose(at_least(found, truth), [0.75, 0.5, 0.25])
