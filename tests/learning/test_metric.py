"""The parts of the linear metric against slow, obvious twins."""

from __future__ import annotations

import numpy as np
import pytest

from spectrosim_search.baselines._cosine import pair_cosine, unit_rows
from spectrosim_search.config.errors import DataError
from spectrosim_search.learning.encoders import whitened
from spectrosim_search.learning.fitting import Fitting
from spectrosim_search.learning.metric import between_axes, fit_metric, principal, whitening, within_covariance


@pytest.mark.parametrize("shape", [(20, 50), (50, 20), (30, 30)])
def test_principal_axes_are_those_of_the_singular_values(shape: tuple[int, int]) -> None:
    x = np.random.default_rng(0).normal(size=shape) * np.linspace(1, 5, shape[1])
    pca = principal(x, 6)
    u, s, v = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(pca.axes.T @ pca.axes, np.eye(6), atol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(pca.axes * v[:6].T, axis=0)), 1, atol=1e-7)
    np.testing.assert_allclose(np.abs(pca.scores), np.abs(u[:, :6] * s[:6]), atol=1e-7)
    np.testing.assert_allclose((x - pca.mean) @ pca.axes, pca.scores, atol=1e-7)


def test_rank_bounds_the_number_of_axes() -> None:
    rng = np.random.default_rng(1)
    assert principal(rng.normal(size=(5, 40)), 60).axes.shape == (40, 4)
    low = rng.normal(size=(30, 3)) @ rng.normal(size=(3, 40))
    assert principal(low, 60).axes.shape == (40, 3)
    assert principal(low.T, 60).axes.shape[1] == 3
    with pytest.raises(DataError, match="all equal"):
        principal(np.ones((4, 9)), 3)


def test_within_covariance_by_loops() -> None:
    rng = np.random.default_rng(2)
    y, groups = rng.normal(size=(11, 3)), np.array([7, 7, 2, 2, 2, 9, 4, 4, 4, 4, 7])
    total, freedom = np.zeros((3, 3)), 0
    for g in set(groups.tolist()):
        block = y[groups == g]
        for row in block:
            total += np.outer(row - block.mean(axis=0), row - block.mean(axis=0))
        freedom += len(block) - 1
    np.testing.assert_allclose(within_covariance(y, groups), total / freedom)
    with pytest.raises(DataError, match="no training group has two spectra"):
        within_covariance(y, np.arange(11))


def test_whitening_whitens_what_it_was_given() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=(5, 8))
    covariance = a @ a.T
    w = whitening(covariance, 0.0)
    np.testing.assert_allclose(w @ covariance @ w, np.eye(5), atol=1e-9)
    np.testing.assert_allclose(whitening(covariance, 1.0), np.eye(5) / np.sqrt(np.trace(covariance) / 5), atol=1e-12)
    mixed = 0.7 * covariance + 0.3 * np.trace(covariance) / 5 * np.eye(5)
    w = whitening(covariance, 0.3)
    np.testing.assert_allclose(w @ mixed @ w, np.eye(5), atol=1e-9)
    assert np.isfinite(whitening(np.zeros((3, 3)), 0.1)).all()
    assert np.isfinite(whitening(np.diag([1.0, 0.0]), 0.0)).all()


def test_axes_between_groups_are_found_with_their_variance() -> None:
    """Whitened spectra whose groups differ along two known directions, by 9 and by 1 within-group variances."""
    rng = np.random.default_rng(6)
    sizes = rng.integers(2, 6, size=600)
    groups = np.repeat(np.arange(600), sizes)
    axes = np.linalg.qr(rng.normal(size=(5, 5)))[0]
    means = rng.normal(size=(600, 2)) * [3.0, 1.0] @ axes[:, :2].T
    found, variance = between_axes(means[groups] + rng.normal(size=(groups.size, 5)), groups)
    np.testing.assert_allclose(found.T @ found, np.eye(5), atol=1e-9)
    np.testing.assert_allclose(variance, [9, 1, 0, 0, 0], rtol=0.12, atol=0.12)
    assert (np.abs((found * axes).sum(axis=0))[:2] > 0.98).all()
    with pytest.raises(DataError, match="no variation between groups"):
        between_axes(rng.normal(size=(4, 2)), np.zeros(4, np.int64))


def test_whitened_encoder_weighs_axes_as_the_posterior_mean_of_a_group_does() -> None:
    rng = np.random.default_rng(7)
    groups = np.repeat(np.arange(12), 4).astype(np.int64)
    x = (rng.normal(size=(12, 20)) * np.linspace(3, 0, 20))[groups] + rng.normal(size=(48, 20))
    fitting = Fitting(x.astype(np.float32), groups, np.arange(20.0))
    fits = {b: whitened.fit(whitened.Settings(components=8, between=b), fitting) for b in (0.0, 0.5, 1.0)}
    metric = fit_metric(x.astype(np.float32), groups, 8, 0.1)
    turn, variance = between_axes(metric.embed(x.astype(np.float32)), groups)
    np.testing.assert_allclose(fits[1.0]["weights"], variance / (1 + variance), rtol=1e-5)
    np.testing.assert_allclose(fits[0.5]["weights"] ** 2, fits[1.0]["weights"], rtol=1e-5)
    np.testing.assert_allclose(fits[1.0]["projection"], metric.projection @ turn, atol=1e-5)
    assert (fits[0.0]["weights"] == 1).all()
    alike = Fitting(
        np.tile(x[:4], (12, 1)).astype(np.float32), groups, np.arange(20.0)
    )  # every group has the same spectra
    assert (whitened.fit(whitened.Settings(components=3, between=1.0), alike)["weights"] == 1).all()


def test_the_metric_sees_through_nuisance() -> None:
    """One strong direction of variation inside groups hides a weak one between them."""
    rng = np.random.default_rng(4)
    groups = np.repeat(np.arange(40), 4)
    directions = np.linalg.qr(rng.normal(size=(30, 4)))[0]
    inside = rng.normal(size=(160, 2)) * 10
    between = (rng.normal(size=(40, 2)) * 2)[groups]
    x = inside @ directions[:, :2].T + between @ directions[:, 2:].T + 0.1 * rng.normal(size=(160, 30))
    metric = fit_metric(x[:120], groups[:120], 4, 1e-5)
    i, j = np.triu_indices(40, 1)
    same = groups[120:][i] == groups[120:][j]
    plain = pair_cosine(unit_rows(x[120:] - x[:120].mean(axis=0)), i, j)
    white = pair_cosine(unit_rows(metric.embed(x[120:])), i, j)
    assert white[same].mean() > 0.95
    assert abs(plain[same].mean() - plain[~same].mean()) < 0.2


def test_cosine_by_loops_and_of_zeros() -> None:
    rng = np.random.default_rng(5)
    x = rng.normal(size=(6, 4))
    x[5] = 0
    left, right = np.array([0, 1, 5, 5]), np.array([3, 1, 0, 5])
    got = pair_cosine(unit_rows(x), left, right)
    for k, (a, b) in enumerate(zip(left, right, strict=True)):
        norm = np.linalg.norm(x[a]) * np.linalg.norm(x[b])
        assert got[k] == pytest.approx(x[a] @ x[b] / norm if norm else 0.0, abs=1e-6)
