"""What classes add to mixtures: closed form beside its slow twin, what it finds, and what it is learnt from."""

from __future__ import annotations

import numpy as np
import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.identification import unit_rows
from spectrosim_search.evaluation.mixing import Mixing, fit_mixing, practised
from spectrosim_search.evaluation.mixtures import at_least, name_components

CLASSES, FEATURES = 30, 16


class World:
    """Spectra of their own centres; in mixtures classes add something else, and all stray along four directions."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.centres = unit_rows(rng.normal(size=(CLASSES, FEATURES)) + 0.3).astype(np.float64)
        self.parts = self.centres + 0.12 * rng.normal(size=(CLASSES, FEATURES))
        self.stray = np.linalg.qr(rng.normal(size=(FEATURES, 4)))[0].T

    def mixtures(self, count: int, order: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
        rng = np.random.default_rng([seed, order])
        members = np.array([rng.choice(CLASSES, order, replace=False) for _ in range(count)])
        z = self.parts[members].sum(axis=1) + 0.8 * rng.normal(size=(count, 4)) @ self.stray
        return (z + 0.03 * rng.normal(size=z.shape)).astype(np.float32), np.sort(members, axis=1)


@pytest.mark.parametrize(("ridge", "shrinkage"), [(10.0, 3.0), (0.5, 1.0), (1e9, 0.1)])
def test_parts_and_whitening_are_those_of_the_stacked_regression(ridge: float, shrinkage: float) -> None:
    world = World()
    drawn = [world.mixtures(80, order, 1) for order in (2, 3, 4)]
    found = fit_mixing(drawn, world.centres, ridge=ridge, shrinkage=shrinkage)

    z = np.concatenate([unit_rows(x).astype(np.float64) for x, _ in drawn])
    rows = []
    for _, members in drawn:
        for own in members:
            row = np.zeros(CLASSES)
            row[own] = 1 / np.linalg.norm(world.centres[own].sum(axis=0))
            rows.append(row)
    m = np.array(rows)
    stacked = np.vstack([m, np.sqrt(ridge) * np.eye(CLASSES)])  # ridge as further observations: the centres themselves
    target = np.vstack([z, np.sqrt(ridge) * world.centres])
    parts = np.linalg.lstsq(stacked, target, rcond=None)[0]
    left = z - m @ parts
    covariance = left.T @ left / len(z)
    covariance += shrinkage * np.median(np.linalg.eigvalsh(covariance)) * np.eye(FEATURES)
    assert found.whitening is not None
    inverse = found.whitening.astype(np.float64) @ found.whitening.T  # whatever its rotation and scale
    inverse /= np.trace(inverse)
    wanted = np.linalg.inv(covariance)
    np.testing.assert_allclose(inverse, wanted / np.trace(wanted), atol=2e-5)
    np.testing.assert_allclose(found.parts, parts @ found.whitening, atol=1e-3)


def test_more_components_are_named_than_by_sums_of_centres() -> None:
    world = World(1)
    mixing = fit_mixing([world.mixtures(300, order, 1) for order in (2, 3, 4)], world.centres)
    for order in (2, 3, 4):
        z, truth = world.mixtures(300, order, 2)
        plain, learnt = name_components(z, world.centres, order)[0], mixing.name_components(z, order)[0]
        assert at_least(learnt[-1], truth)[-1] > 0.97
        assert at_least(plain[-1], truth)[-1] < 0.6


def test_the_length_of_an_embedding_says_nothing() -> None:
    world = World(2)
    drawn = [world.mixtures(100, order, 1) for order in (2, 3)]
    longer = [(x * np.linspace(0.1, 40, len(x), dtype=np.float32)[:, None], members) for x, members in drawn]
    a, b = fit_mixing(drawn, world.centres), fit_mixing(longer, world.centres)
    z, _ = world.mixtures(50, 3, 2)
    (sets, scores), (others, same) = a.name_components(z, 3), b.name_components(7 * z, 3)
    assert [s.tolist() for s in sets] == [s.tolist() for s in others]
    np.testing.assert_allclose(scores, same, atol=1e-4)


def test_a_class_in_no_mixture_keeps_its_centre_and_one_may_come_later() -> None:
    world = World(3)
    few = [(x, members) for x, members in [world.mixtures(200, 2, 1)]]
    kept = (few[0][1] < CLASSES - 2).all(axis=1)
    mixing = fit_mixing([(few[0][0][kept], few[0][1][kept])], world.centres)
    own = mixing.whitened(world.centres[-2:].astype(np.float32))
    np.testing.assert_allclose(mixing.parts[-2:], own, rtol=1e-4, atol=1e-5)
    shorter = Mixing(mixing.parts[:-2], mixing.whitening).extended(world.centres)
    np.testing.assert_allclose(shorter.parts, mixing.parts, rtol=1e-4, atol=1e-5)


def test_mixtures_to_learn_from() -> None:
    classes = np.repeat(np.arange(5), [1, 4, 2, 3, 3])
    seen: list[np.ndarray] = []

    def embedded(rows: np.ndarray) -> np.ndarray:
        seen.append(rows)
        return rows.sum(axis=1, keepdims=True).astype(np.float64)

    drawn = list(practised(classes, 200, 4, embedded))
    assert [m.shape[1] for _, m in drawn] == [2, 2, 3, 3, 4, 4]  # 1,000 of each, 500 at a time
    for (z, members), rows in zip(drawn, seen, strict=True):
        assert np.array_equal(members, classes[rows]) and np.array_equal(z[:, 0], rows.sum(axis=1))
        assert all(len(set(own)) == len(own) for own in members.tolist())
        counts = np.bincount(members.ravel(), minlength=5) / members.size
        assert (abs(counts - 0.2) < 0.05).all()
    again = list(practised(classes, 200, 4, lambda rows: rows[:, :1]))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(drawn, again, strict=True))
    many = practised(classes, 3_000, 4, lambda rows: rows[:, :1])
    assert sum(len(members) for _, members in many) == 3 * 5_000
    assert [m.shape for _, m in practised(np.array([0, 1, 1]), 3, 0, lambda rows: rows)] == [(6, 2)]


def test_of_nothing_nothing_is_learnt() -> None:
    with pytest.raises(InputError, match="two classes are needed"):
        fit_mixing([], np.eye(3))
    assert list(practised(np.zeros(4, dtype=np.int64), 3, 0, lambda rows: rows)) == []


def test_few_mixtures_teach_parts_alone() -> None:
    """With fewer than two mixtures for each direction most directions are never left over in: nothing is whitened."""
    world = World(4)
    x, members = world.mixtures(2 * FEATURES, 2, 1)
    assert fit_mixing([(x, members)], world.centres).whitening is not None
    mixing = fit_mixing([(x[1:], members[1:])], world.centres)
    assert mixing.whitening is None
    both = np.concatenate([world.centres, world.centres[:1]])
    assert np.array_equal(mixing.extended(both).parts[-1], world.centres[0].astype(np.float32))
    pure, _ = world.mixtures(60, 2, 2)
    sets, _ = mixing.name_components(pure, 2)
    named = name_components(pure, mixing.parts, 2)[0]
    assert np.array_equal(sets[-1], named[-1])
    # with raw channels as the embedding, thousands of them, few mixtures do no harm
    wide = np.random.default_rng(0).random((8, 3000))
    centres = unit_rows(wide)
    pairs = np.array([[a, b] for a in range(8) for b in range(a)])
    learnt = fit_mixing([(wide[pairs].sum(axis=1), pairs)], centres)
    assert (learnt.name_components(wide[pairs].sum(axis=1), 2)[0][-1] == np.sort(pairs, axis=1)).all()


def test_mixtures_without_rest_divide_by_nothing() -> None:
    centres = np.eye(6, 8)
    members = np.array([[a, b] for a in range(6) for b in range(a)] * 3)
    mixing = fit_mixing([(centres[members].sum(axis=1), members)], centres)
    assert mixing.whitening is not None and np.isfinite(mixing.whitening).all()
    assert mixing.name_components(centres[[0, 3]].sum(axis=0, keepdims=True), 2)[0][-1].tolist() == [[0, 3]]
