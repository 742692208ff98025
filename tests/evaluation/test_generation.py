"""Measures of synthetic spectra against slow, obvious twins, and what they say of copies."""

from __future__ import annotations

import math

import numpy as np
import pytest

from spectrosim_search.evaluation.generation import (
    distinct,
    generation_metrics,
    library_match,
    novelty,
    similarity_ratio,
    weighted_cosines,
    within_similarity,
)

AXIS = np.arange(20.0, 60.0)


def spectra(n: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.gamma(0.3, size=(n, AXIS.size)) * (rng.random((n, AXIS.size)) < 0.6)


def slow_cosine(x: np.ndarray, y: np.ndarray) -> float:
    above = sum(m * a * b for m, a, b in zip(AXIS, x, y, strict=True))
    below = math.sqrt(sum(m * a * a for m, a in zip(AXIS, x, strict=True)))
    below *= math.sqrt(sum(m * b * b for m, b in zip(AXIS, y, strict=True)))
    return above / below


def test_weighted_cosines() -> None:
    a, b = spectra(4, 0), spectra(5, 1)
    slow = [[slow_cosine(x, y) for y in b] for x in a]
    np.testing.assert_allclose(weighted_cosines(a, b, AXIS), slow, rtol=1e-12)
    assert weighted_cosines(0 * a[:1], b, AXIS).tolist() == [[0.0] * 5]


def test_everything_by_its_slow_twin() -> None:
    made, real, held = spectra(9, 2), spectra(8, 3), spectra(6, 4)
    made_classes = np.array([0, 0, 1, 1, 2, 2, 3, 3, 3])
    real_classes = np.array([0, 0, 1, 1, 1, 2, 3, 3])
    truth = np.array([0, 0, 1, 2, 2, 2])  # class 3 is not held out
    found = generation_metrics(made, made_classes, real, real_classes, AXIS, held, truth)
    everything, codes = np.concatenate([real, held]), np.concatenate([real_classes, truth])
    cosines, ratios, squares, matches = [], [], [], []
    for x, c in zip(made, made_classes, strict=True):
        if c == 3:
            continue
        own = [slow_cosine(x, y) for y, t in zip(held, truth, strict=True) if t == c]
        cosines.append(np.mean(own))
        members = everything[codes == c]
        pairs = [slow_cosine(p, q) for i, p in enumerate(members) for q in members[i + 1 :]]
        ratios.append(np.mean(own) / np.mean(pairs))
        base = 100 * x / x.max()
        squares.append(np.mean([((base - 100 * y / y.max()) ** 2).mean() for y in held[truth == c]]))
        matches.append(truth[int(np.argmax([slow_cosine(x, y) for y in held]))] == c)
    nearest = [1 - max(slow_cosine(x, y) for y in real) for x in made]
    expected = {
        "weighted_cosine": np.mean(cosines),
        "similarity_ratio": np.mean(ratios),
        "similarity_ratio_above_.9": np.mean(np.array(ratios) > 0.9),
        "mse": np.mean(squares),
        "library_match": np.mean(matches),
        "novelty": np.mean(nearest),
        "distinct": 1.0,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name
    assert np.isnan(within_similarity(real, real_classes, 5, AXIS)[[2, 4]]).all()
    assert np.isnan(similarity_ratio(made, made_classes, held, truth, AXIS, np.ones(4))[-3:]).all()
    assert library_match(made[:1], made_classes[:1], held, truth, AXIS) == matches[0]


def test_copies_are_similar_and_not_novel() -> None:
    real = spectra(10, 5)
    classes = np.repeat(np.arange(5), 2)
    held = real * np.random.default_rng(0).uniform(0.9, 1.1, real.shape)
    copies = generation_metrics(real, classes, real, classes, AXIS, held, classes)
    assert copies["novelty"] == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(novelty(3 * real, real, AXIS), 0, atol=1e-9)
    assert distinct(np.repeat(real, 3, axis=0), np.repeat(classes, 3), AXIS) == pytest.approx(1 / 3)
    assert distinct(real, classes, AXIS) == 1.0


def test_what_cannot_be_measured_is_left_out() -> None:
    real, classes = spectra(4, 6), np.arange(4)
    assert generation_metrics(real[:0], classes[:0], real, classes, AXIS) == {}
    assert set(generation_metrics(real, classes, real, classes, AXIS)) == {"novelty", "distinct"}
    assert "mse" not in generation_metrics(real, classes, real, classes, AXIS, real[:1], np.array([7]))
