"""The similarities of mass spectrometry and PLDA, against published figures, slow twins and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import entropy as scipy_entropy
from scipy.stats import multivariate_normal

from spectrosim_search import baselines
from spectrosim_search.baselines import BaselineInput, plda_sphere_tuned
from spectrosim_search.baselines._plda import Plda, fit_plda
from spectrosim_search.baselines.spectral_entropy import entropy, entropy_similarity, normalised
from spectrosim_search.baselines.weighted_cosine import weighted
from spectrosim_search.config.errors import DataError
from spectrosim_search.evaluation.verification import auc
from spectrosim_search.learning.metric import whitening, within_covariance
from spectrosim_search.spectra.simulators import simulate

Make = Callable[..., BaselineInput]
ONE, TWO = np.array([0]), np.array([1])
# the example of the package of Li et al.: peaks at 41.04, 69.07 and 86.1, matched within .05 or not
QUERY, REFERENCE = [0.0, 7.917962, 1.021589 + 100.0], [37.16, 66.83, 999.0]


@pytest.mark.parametrize(("use_weights", "published"), [(False, 0.9826668790176113), (True, 0.8984397722577456)])
def test_entropy_similarity_of_the_published_example(use_weights: bool, published: float) -> None:
    p = normalised(np.array([QUERY, REFERENCE]), weighted=use_weights)
    assert entropy_similarity(p, ONE, TWO)[0] == pytest.approx(published, abs=1e-6)


def test_entropy_of_the_published_example() -> None:
    p = normalised(np.array([QUERY, REFERENCE]), weighted=False)
    np.testing.assert_allclose(entropy(p), [0.2605222463607788, 0.3737888038158417], atol=2e-7)


def test_spectral_entropy_by_its_definition(held_out: Make) -> None:
    """Broad spectra (not weighted), narrow ones (weighted), negative intensities and an empty spectrum."""
    s = simulate(batches=9, channels=96, mz_high=120.0, peaks=20)
    x = s.intensities.astype(np.float64)
    x[0, 5:] = 0
    x[1, 3:] *= -1
    x[2] = 0
    data = held_out(replace(s, intensities=x.astype(np.float32)))
    pairs = data.pairs[0]

    def weight(v: np.ndarray) -> np.ndarray:
        v = np.clip(v, 0, None)
        if v.sum() == 0:
            return v
        h = scipy_entropy(v)
        v = (v / v.sum()) ** (0.25 + h * 0.25) if h < 3 else v
        return v / v.sum()

    def total(v: np.ndarray) -> float:
        return -sum(float(a) * np.log(a) for a in v if a > 0)

    expected = []
    for a, b in zip(pairs.left, pairs.right, strict=True):
        u, v = weight(x[a].astype(np.float32).astype(float)), weight(x[b].astype(np.float32).astype(float))
        expected.append(1 - (2 * total((u + v) / 2) - total(u) - total(v)) / np.log(4))
    got = baselines.run("spectral-entropy", data).similarities[0]
    np.testing.assert_allclose(got, np.clip(expected, 0, 1), atol=1e-5)


def test_weighted_cosine_by_hand(held_out: Make) -> None:
    data = held_out(simulate(batches=6, channels=64, mz_high=100.0, peaks=8))
    x, m = data.spectra.intensities.astype(np.float64), data.spectra.axis
    w = np.sqrt(x) * m**2
    pairs = data.pairs[0]
    expected = [
        (w[a] @ w[b]) / np.sqrt((w[a] @ w[a]) * (w[b] @ w[b])) for a, b in zip(pairs.left, pairs.right, strict=True)
    ]
    np.testing.assert_allclose(baselines.run("weighted-cosine", data).similarities[0], expected, atol=1e-6)


def test_powers_of_the_synthesis_paper() -> None:
    rng = np.random.default_rng(0)
    x, y, m = rng.random(20), rng.random(20), np.arange(1.0, 21.0)
    paper = (m * x * y).sum() / (np.sqrt((m * x * x).sum()) * np.sqrt((m * y * y).sum()))
    a, b = weighted(np.stack([x, y]), m, 1.0, 0.5)
    assert a @ b / np.sqrt((a @ a) * (b @ b)) == pytest.approx(paper)


@pytest.mark.parametrize("change", [{"axis_unit": "nm"}, {"axis": np.arange(96.0)}])
def test_weighted_cosine_is_for_masses(change: dict, held_out: Make) -> None:
    s = simulate(batches=6, channels=96, mz_high=120.0, peaks=8)
    with pytest.raises(DataError, match="axis is not m/z"):
        baselines.run("weighted-cosine", held_out(replace(s, **change)))


def groups_of(sizes: list[int], between: np.ndarray, within: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    zero = np.zeros(len(within))
    centre = rng.multivariate_normal(zero, between, len(sizes))
    return 3.0 + centre[codes] + rng.multivariate_normal(zero, within, codes.size), codes


BETWEEN = np.array([[2.0, 0.3, 0.0], [0.3, 1.0, 0.1], [0.0, 0.1, 0.5]])
WITHIN = np.array([[0.5, 0.1, 0.0], [0.1, 1.0, -0.2], [0.0, -0.2, 1.5]])


def test_plda_ratio_is_that_of_the_densities() -> None:
    """With the population's covariances given, the sum over directions is the difference of two log densities."""
    value, vector = np.linalg.eigh(WITHIN)
    white = vector / np.sqrt(value)
    psi, turn = np.linalg.eigh(white.T @ BETWEEN @ white)
    model = Plda(np.full(3, 3.0), white @ turn, psi)
    x, _ = groups_of([4, 4], BETWEEN, WITHIN, 0)
    i, j = np.triu_indices(8, 1)
    total, none, mean = BETWEEN + WITHIN, np.zeros((3, 3)), np.full(6, 3.0)
    same = multivariate_normal(mean, np.block([[total, BETWEEN], [BETWEEN, total]]))
    different = multivariate_normal(mean, np.block([[total, none], [none, total]]))
    both = np.hstack([x[i], x[j]])
    expected = same.logpdf(both) - different.logpdf(both)
    np.testing.assert_allclose(model.ratio(model.project(x), i, j), expected, rtol=1e-5, atol=1e-5)


def test_ratios_of_all_pairs_are_those_of_each() -> None:
    x, codes = groups_of([4] * 10, BETWEEN, WITHIN, 3)
    model = fit_plda(x, codes, 0.1)
    z = model.project(x)
    i, j = (a.ravel() for a in np.indices((40, 40)))
    np.testing.assert_allclose(model.ratios(z).ravel(), model.ratio(z, i, j), rtol=1e-5, atol=1e-5)


def test_plda_recovers_the_population_from_unequal_groups() -> None:
    x, codes = groups_of([2, 3, 9] * 4000, BETWEEN, WITHIN, 1)
    model = fit_plda(x, codes, 0.0)
    back = np.linalg.inv(model.projection)
    np.testing.assert_allclose(back.T @ back, WITHIN, atol=0.04)
    np.testing.assert_allclose(back.T @ np.diag(model.between) @ back, BETWEEN, atol=0.08)


def test_plda_leaves_out_directions_that_tell_nothing() -> None:
    x, codes = groups_of([4] * 40, np.diag([3.0, 0.0, 0.0]), np.eye(3), 2)
    x[:, 1] -= np.bincount(codes, x[:, 1])[codes] / 4  # group means exactly equal
    model = fit_plda(x, codes, 0.1)
    assert model.between.size < 3
    with pytest.raises(DataError, match="two training groups"):
        fit_plda(x[:4], codes[:4], 0.1)


def test_on_the_sphere_only_the_direction_counts_and_the_ratio_is_that_of_the_points() -> None:
    x, codes = groups_of([4] * 30, BETWEEN, WITHIN, 5)
    z, centre = groups_of([3] * 4, BETWEEN, WITHIN, 6)[0], x.mean(axis=0)
    found = plda_sphere_tuned._ratio(x, codes, z, 0.1)
    np.testing.assert_allclose(plda_sphere_tuned._ratio(x, codes, centre + 7 * (z - centre), 0.1), found, atol=1e-9)
    white = whitening(within_covariance(x, codes), 0.1)
    points, others = (((v - centre) @ white) for v in (x, z))
    points, others = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (points, others))
    model = fit_plda(points, codes, 0.1)
    np.testing.assert_allclose(found, model.ratios(model.project(others)), atol=1e-9)


def test_plda_finds_what_cosine_does_not(held_out: Make) -> None:
    mean = {}
    for name in ("cosine", "plda"):
        values = []
        for seed in range(4):
            data = held_out(simulate(batches=30, seed=seed), seed)
            values.append(auc(baselines.run(name, data).similarities[0], data.pairs[0].positive))
        mean[name] = np.mean(values)
    assert mean["plda"] > mean["cosine"] + 0.05
