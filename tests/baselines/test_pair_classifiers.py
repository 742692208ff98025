"""The classical classifiers of pairs: what they learn from, what they see, and that each finds what is there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from spectrosim_search import baselines
from spectrosim_search.baselines import BaselineInput, _pair_classifier
from spectrosim_search.baselines import _training_pairs as drawing
from spectrosim_search.baselines._discriminant import fit_lda
from spectrosim_search.baselines._pair_features import pair_features
from spectrosim_search.baselines._pair_methods import METHODS, Method, Score
from spectrosim_search.baselines._training_pairs import TrainingPairs, training_pairs
from spectrosim_search.config.errors import DataError
from spectrosim_search.evaluation.verification import auc
from spectrosim_search.protocol.pairs import PairSet
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet

Make = Callable[..., BaselineInput]
LINEAR = {"oplsda", "lda", "logistic-regression"}


def planted(groups: int = 24, size: int = 4, channels: int = 20, seed: int = 0) -> SpectraSet:
    """Six channels tell groups apart, the others vary as much inside a group as between."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(groups), size)
    x = rng.normal(size=(codes.size, channels))
    x[:, :6] = 1.5 * rng.normal(size=(groups, 6))[codes] + 0.3 * rng.normal(size=(codes.size, 6))
    names = np.array([f"g{c}" for c in codes])
    empty = np.full(codes.size, "")
    ids = np.array([f"s{i}" for i in range(codes.size)])
    return SpectraSet(x.astype(np.float32), np.arange(1.0, channels + 1), "", ids, names, empty, empty)


def given(spectra: SpectraSet, relation: np.ndarray | None = None, seed: int = 0) -> BaselineInput:
    """All rows to train on, nothing to score."""
    groups = np.unique(spectra.groups, return_inverse=True)[1]
    n = len(spectra)
    return BaselineInput(spectra, np.arange(n), groups, np.full(n, -1), relation, (), training_seed=seed)


def drawn(data: BaselineInput, seed: int = 0) -> TrainingPairs:
    return training_pairs(data, np.random.default_rng(seed))


@pytest.mark.parametrize("name", [*METHODS, "ensemble"])
def test_each_finds_what_is_planted(name: str, held_out: Make) -> None:
    data = held_out(planted())
    found = auc(baselines.run(f"{name}-absolute", data).similarities[0], data.pairs[0].positive)
    assert found > (0.7 if name == "decision-tree" else 0.8)
    signed = auc(baselines.run(f"{name}-difference", data).similarities[0], data.pairs[0].positive)
    if name in LINEAR:  # the sign of a difference is arbitrary: a linear score has nothing to learn from it
        assert 0.25 < signed < 0.75
    else:
        assert signed > 0.65


@pytest.mark.parametrize("name", [*METHODS, "ensemble"])
def test_scores_are_ranks_not_classes(name: str, held_out: Make) -> None:
    data = held_out(planted())
    values = np.unique(baselines.run(f"{name}-absolute", data).similarities[0])
    assert values.size > (2 if name == "decision-tree" else 50)


def test_the_papers_pairs_are_all_used() -> None:
    pairs = drawn(given(simulate()))
    assert pairs.same.size == pairs.known == 72 * 71 // 2
    assert pairs.same.sum() == 72
    both = np.sort(np.stack([pairs.left, pairs.right]), axis=0)
    assert len(set(map(tuple, both.T.tolist()))) == pairs.same.size
    assert 0.4 < (pairs.left < pairs.right).mean() < 0.6


def test_many_pairs_are_drawn_from(monkeypatch: pytest.MonkeyPatch) -> None:
    data = given(planted(groups=10, size=5))
    monkeypatch.setattr(drawing, "_MOST_PAIRS", 300)
    monkeypatch.setattr(drawing, "_MOST_POSITIVES", 150)
    pairs = drawn(data)
    assert pairs.same.size == 300 < pairs.known == 50 * 49 // 2
    assert pairs.same.sum() == 10 * 10
    assert (pairs.same == (data.groups[pairs.left] == data.groups[pairs.right])).all()
    assert (drawn(data, 1).left != pairs.left).any()
    monkeypatch.setattr(drawing, "_MOST_POSITIVES", 40)
    assert drawn(data).same.sum() == 40


def test_under_a_relation_only_known_pairs_train() -> None:
    """Chains of known pairs are not followed: 0-1 and 1-2 are known to be the same, 0-2 is not used."""
    relation = np.full((6, 6), -1, np.int8)
    for a, b, kind in [(0, 1, 1), (1, 2, 1), (3, 4, 1), (0, 3, 0), (2, 5, 0)]:
        relation[a, b] = relation[b, a] = kind
    pairs = drawn(given(planted(groups=2, size=3), relation))
    found = {(min(a, b), max(a, b)): bool(s) for a, b, s in zip(pairs.left.tolist(), pairs.right.tolist(), pairs.same)}
    assert found == {(0, 1): True, (1, 2): True, (3, 4): True, (0, 3): False, (2, 5): False}


@pytest.mark.parametrize("kind", [0, 1])
def test_both_kinds_of_pairs_are_needed(kind: int) -> None:
    relation = np.full((6, 6), -1, np.int8)
    relation[0, 1] = relation[1, 0] = kind
    with pytest.raises(DataError, match="pairs of the same group and of different groups"):
        drawn(given(planted(groups=2, size=3), relation))


@pytest.mark.parametrize("channels", [7, 90])
def test_rotated_differences_have_the_same_geometry(channels: int) -> None:
    x = np.random.default_rng(0).normal(size=(30, channels)).astype(np.float32)
    train = np.arange(3, 23)
    pairs = drawn(given(replace(planted(groups=5, size=4, channels=channels), intensities=x[train])))
    features = pair_features("difference", x, train, pairs)
    left, right = train[pairs.left], train[pairs.right]
    full, few = features.channels(left, right), features.rotated(left, right)
    assert few.shape[1] == min(channels, 19) + 1
    assert np.mean((full**2).sum(axis=1)) == pytest.approx(1.0, rel=1e-5)
    i, j = np.triu_indices(30, 1)
    full_new, few_new = features.channels(i, j), features.rotated(i, j)
    np.testing.assert_allclose(few_new @ few.T, full_new @ full.T, atol=1e-5)
    np.testing.assert_allclose((few_new**2).sum(axis=1), (full_new**2).sum(axis=1), atol=1e-5)


@pytest.mark.parametrize("name", sorted(n for n, m in METHODS.items() if m.rotates))
def test_what_is_said_to_rotate_rotates(name: str) -> None:
    s = planted(groups=8, size=3, channels=60, seed=1)
    train = np.arange(18)
    pairs = drawn(replace(given(s), train=train))
    features = pair_features("difference", s.intensities, train, pairs)
    left, right = np.triu_indices(len(s), 1)
    scores = []
    for take in (features.channels, features.rotated):
        x = take(pairs.left, pairs.right)
        if name == "svm":  # its width is per feature: compared at the same width
            x = x / np.sqrt(x.shape[1] * x.var())
            gap = take(left, right) / np.sqrt(take(pairs.left, pairs.right).var() * x.shape[1])
        else:
            gap = take(left, right)
        scores.append(METHODS[name].fit(x, pairs.same, 0)(gap))
    np.testing.assert_allclose(scores[1], scores[0], atol=2e-3 * np.abs(scores[0]).max())


def features_and_classes(n: int, length: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    same = rng.random(n) < 0.2
    x = np.abs(rng.normal(size=(n, length))) * np.where(same, 0.6, 1.0)[:, None]
    return x @ (np.eye(length) + 0.2 * rng.normal(size=(length, length))), same


def test_lda_is_that_of_scikit_learn() -> None:
    x, same = features_and_classes(150, 12)
    x[:, 3] = 2.0  # a channel that never varies
    other = LinearDiscriminantAnalysis(solver="svd", priors=[0.5, 0.5]).fit(x, same)
    new, _ = features_and_classes(40, 12, 1)
    new[:, 3] = 2.0
    unbiased = 148 / 150  # scikit-learn divides the covariance by the number of pairs
    np.testing.assert_allclose(fit_lda(x, same).log_odds(new), unbiased * other.decision_function(new), rtol=1e-6)


def test_lda_of_more_channels_than_pairs_takes_the_pseudo_inverse() -> None:
    x, same = features_and_classes(60, 200)
    means = x[~same].mean(axis=0), x[same].mean(axis=0)
    rest = np.where(same[:, None], x - means[1], x - means[0])
    direction = np.linalg.pinv(rest.T @ rest / 58, rcond=1e-10, hermitian=True) @ (means[1] - means[0])
    new, _ = features_and_classes(40, 200, 1)
    expected = (new - (means[0] + means[1]) / 2) @ direction
    np.testing.assert_allclose(fit_lda(x, same).log_odds(new), expected, rtol=1e-6, atol=1e-6)


def test_lda_of_dependent_channels_is_that_of_the_independent_ones() -> None:
    x, same = features_and_classes(150, 6)
    doubled = fit_lda(np.hstack([x, x]), same).log_odds(np.hstack([x, x]))
    np.testing.assert_allclose(doubled, fit_lda(x, same).log_odds(x), atol=1e-6)


def test_svm_is_that_of_scikit_learn() -> None:
    x, same = features_and_classes(120, 9)
    other = SVC(C=1.0, kernel="rbf", gamma="scale", class_weight="balanced").fit(x, same)
    new, _ = features_and_classes(40, 9, 1)
    np.testing.assert_allclose(METHODS["svm"].fit(x, same, 0)(new), other.decision_function(new), atol=1e-3)


def test_neighbours_are_balanced_between_the_classes() -> None:
    """The odds of the share of same neighbours, divided by the odds of a same pair."""
    x, same = features_and_classes(100, 5)
    new, _ = features_and_classes(40, 5, 1)
    share = KNeighborsClassifier(10, weights="distance").fit(x, same).predict_proba(new)[:, 1]
    odds = np.divide(share, 1 - share, out=np.full(40, np.inf), where=share < 1) * (1 - same.mean()) / same.mean()
    got = METHODS["knn"].fit(x, same, 0)(new)
    np.testing.assert_allclose(got, np.where(np.isinf(odds), 1.0, odds / (1 + np.where(np.isinf(odds), 0, odds))))


def test_logistic_regression_has_converged() -> None:
    x, same = features_and_classes(200, 30)
    exact = LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-10, max_iter=500).fit(x, same)
    got = METHODS["logistic-regression"].fit(x, same, 0)(x)
    np.testing.assert_allclose(got, exact.decision_function(x), atol=0.1)


@pytest.mark.parametrize("kind", ["difference", "absolute"])
def test_the_ensemble_is_the_mean_of_its_members_probabilities(kind: str, held_out: Make) -> None:
    data = held_out(planted())
    members = [
        method.probability(baselines.run(f"{name}-{kind}", data).similarities[0].astype(np.float64))
        for name, method in METHODS.items()
    ]
    assert all(0 <= m.min() <= m.max() <= 1 for m in members)
    got = baselines.run(f"ensemble-{kind}", data).similarities[0]
    np.testing.assert_allclose(got, np.mean(members, axis=0), atol=1e-5)


@pytest.mark.parametrize("kind", ["difference", "absolute"])
def test_a_family_shares_fits_and_no_score_changes(kind: str, held_out: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    data = held_out(planted())
    names = [f"{name}-{kind}" for name in (*METHODS, "ensemble")]
    alone = {name: baselines.run(name, data).similarities[0] for name in names}
    fitted: list[str] = []

    def counted(name: str, method: Method) -> Method:
        def fit(*given: Any) -> Score:
            fitted.append(name)
            return method.fit(*given)

        return replace(method, fit=fit)

    monkeypatch.setattr(_pair_classifier, "METHODS", {name: counted(name, m) for name, m in METHODS.items()})
    together = replace(data, shared={})
    for name in reversed(names):
        assert (baselines.run(name, together).similarities[0] == alone[name]).all()
    assert sorted(fitted) == sorted(METHODS)


@pytest.mark.parametrize("change", ["training_seed", "train", "groups", "pairs", "relation", "spectra", "order"])
def test_what_is_shared_serves_the_same_input_alone(change: str, held_out: Make) -> None:
    data = held_out(planted())
    (pairs,), n = data.pairs, len(data.spectra)
    same = (data.groups[:, None] == data.groups).astype(np.int8)
    fewer = PairSet(pairs.left[1:], pairs.right[1:], pairs.positive[1:], pairs.stratum[1:])
    other = {
        "training_seed": replace(data, training_seed=1),
        "train": replace(data, train=data.train[4:]),
        "groups": replace(data, groups=np.where(np.arange(n) % 9 == 0, -1, data.groups)),
        "pairs": replace(data, pairs=(fewer,)),
        "relation": replace(data, relation=np.where(np.add.outer(np.arange(n), np.arange(n)) % 3 == 0, -1, same)),
        "spectra": replace(data, spectra=planted(seed=1)),
        "order": replace(data, pairs=(replace(pairs, left=pairs.right, right=pairs.left),)),
    }[change]
    shared: dict[str, Any] = {}
    baselines.run("svm-difference", replace(data, shared=shared))
    got = baselines.run("svm-difference", replace(other, shared=shared)).similarities[0]
    want = baselines.run("svm-difference", other).similarities[0]
    assert got.shape == want.shape and (got == want).all()


@pytest.mark.parametrize("name", ["random-forest-absolute", "svm-difference"])
def test_the_training_seed_draws(name: str, held_out: Make) -> None:
    data = held_out(planted())
    a, b = (baselines.run(name, replace(data, training_seed=seed)).similarities[0] for seed in (0, 1))
    assert (a != b).any()
