"""Components named: counting, and intervals that leave out classes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spectrosim_search.evaluation.identification import Gallery, unit_rows
from spectrosim_search.evaluation.mixture_statistics import components_right, mixture_estimates
from spectrosim_search.evaluation.mixtures import at_least, exhaustive_search, name_components
from spectrosim_search.evaluation.scores import MixtureScores


def drawn(rng: np.random.Generator, classes: int, order: int, count: int) -> np.ndarray:
    return np.array([rng.choice(classes, order, replace=False) for _ in range(count)])


def test_a_mixture_of_one_is_the_nearest_centre() -> None:
    rng = np.random.default_rng(0)
    gallery = Gallery(rng.normal(size=(60, 9)).astype(np.float32), np.arange(60) % 20)
    z = rng.normal(size=(80, 9)) * rng.uniform(0.1, 9.0, (80, 1))
    sets, scores = name_components(z, gallery.centroids, 1)
    table = gallery.scores(z)
    assert np.array_equal(sets[0][:, 0], table.argmax(axis=1))
    np.testing.assert_allclose(scores[0], table.max(axis=1), atol=1e-6)


@pytest.mark.parametrize("order", [2, 3, 4])
def test_naming_components_is_listing_every_sum(order: int) -> None:
    rng = np.random.default_rng(order)
    centres = unit_rows(rng.normal(size=(14, 30)))
    truth = drawn(rng, 14, order, 60)
    z = (centres[truth].sum(axis=1) + 0.1 * rng.normal(size=(60, 30))) * 7.0
    unit = unit_rows(z).astype(np.float64)
    known = centres.astype(np.float64)
    found = name_components(z, centres, order)[0][-1]
    assert np.array_equal(found, exhaustive_search(unit @ known.T, known @ known.T, order)[0])
    right = components_right(MixtureScores(truth, found))
    assert [(right >= k / order - 1e-9).mean() for k in range(1, order + 1)] == at_least(found, truth).tolist()


def test_values_and_errors_against_leaving_out_one_by_one() -> None:
    rng = np.random.default_rng(3)
    truth = drawn(rng, 12, 3, 200)
    found = np.where(rng.random((200, 3)) < 0.8, truth, 99)
    parts = [MixtureScores(truth[:120], found[:120]), MixtureScores(truth[120:], found[120:])]
    (estimate,) = mixture_estimates(parts)
    share = (truth == found).mean(axis=1)
    assert (estimate.components, estimate.mixtures) == (3, 200)
    for got, values in ((estimate.all_right, share == 1), (estimate.mean_right, share)):
        assert got.value == pytest.approx(values.mean())
        without = np.array([values[~(truth == c).any(axis=1)].mean() for c in range(12)])
        assert got.standard_error == pytest.approx(math.sqrt(11 / 12 * ((without - without.mean()) ** 2).sum()))
        assert got.low < got.value < got.high


def test_sizes_are_told_apart_and_the_order_in_a_row_says_nothing() -> None:
    truth = np.array([[0, 1], [2, 3], [1, 2]])
    three = MixtureScores(np.array([[0, 1, 2]]), np.array([[9, 2, 0]]))
    estimates = mixture_estimates([three, MixtureScores(truth, truth[:, ::-1])])
    assert [e.components for e in estimates] == [2, 3]
    assert (estimates[0].all_right.value, estimates[0].mean_right.value) == (1.0, 1.0)
    assert estimates[1].mean_right.value == pytest.approx(2 / 3) and estimates[1].all_right.value == 0.0
    assert mixture_estimates([]) == ()


def test_faultless_mixtures_have_the_bound_of_faultless_classes() -> None:
    truth = drawn(np.random.default_rng(1), 20, 4, 300)
    (estimate,) = mixture_estimates([MixtureScores(truth, truth)])
    assert estimate.all_right.low == pytest.approx(0.025 ** (4 / 20))
    assert estimate.mean_right.low == pytest.approx(0.025 ** (1 / 20))
    assert estimate.all_right.high == 1.0


def test_the_interval_covers_what_other_classes_would_give() -> None:
    """Classes differ in how well they are named: 95 % intervals over classes cover the population's share."""
    rng = np.random.default_rng(7)
    population = rng.beta(6, 1, 100_000)
    inside = 0
    for _ in range(200):
        own = rng.choice(population, 40)
        truth = drawn(rng, 40, 2, 300)
        found = np.where(rng.random((300, 2)) < own[truth], truth, 99)
        (estimate,) = mixture_estimates([MixtureScores(truth, found)])
        inside += estimate.all_right.low <= population.mean() ** 2 <= estimate.all_right.high
    assert inside / 200 >= 0.91
