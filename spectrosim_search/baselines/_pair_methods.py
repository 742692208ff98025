"""The classical classifiers of SpectroSim (table 2), each fitted to feature vectors of pairs.

A fitted classifier scores pairs by a decision value, higher where *same* is likelier, never by a hard class: ranks
are what an AUC reads. Same pairs are a few in a hundred, so every classifier is balanced between the classes. The
paper names no settings; what is fixed here is the usual choice, and said in `Method.settings`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._discriminant import fit_lda
from spectrosim_search.baselines._pls import fit_opls

__all__ = ["METHODS", "Fit", "Method", "Score"]

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
Score = Callable[[Floats], Floats]  # features (P, F) → decision values (P,)
Fit = Callable[[Floats, Flags, int], Score]  # features (P, F), same (P,), seed

_ORTHOGONAL = 5
_DEPTH = 5
_TREES = 200
_PENALTY = 1.0


@dataclass(frozen=True)
class Method:
    """`rotates`: no rotation of the features changes its scores, so that those of signed differences can be laid into
    few coordinates. `probability`: what turns its scores into a probability of *same* at equal priors, for votes."""

    fit: Fit
    rotates: bool
    probability: Callable[[Floats], Floats]
    settings: str


def _logistic(x: Floats) -> Floats:
    return np.asarray(0.5 * (1 + np.tanh(0.5 * x)))


def _as_it_is(x: Floats) -> Floats:
    return x


def _clipped(x: Floats) -> Floats:
    return np.asarray(np.clip(x, 0.0, 1.0))


def _balance(same: Flags) -> Floats:
    """Weights ``(P,)`` that give both classes half of the total."""
    rate = float(same.mean())
    return np.asarray(np.where(same, 0.5 / rate, 0.5 / (1 - rate)))


def _oplsda(x: Floats, same: Flags, seed: int) -> Score:
    return fit_opls(x, same.astype(np.float64), _ORTHOGONAL, _balance(same)).predict


def _knn(x: Floats, same: Flags, seed: int) -> Score:
    from sklearn.neighbors import KNeighborsClassifier

    k = int(np.ceil(np.sqrt(same.size)))
    model = KNeighborsClassifier(k, weights="distance", algorithm="brute").fit(x, same)
    rate = float(same.mean())

    def score(features: Floats) -> Floats:
        share = model.predict_proba(features)[:, 1]
        return np.asarray(share / rate / (share / rate + (1 - share) / (1 - rate)))

    return score


def _decision_tree(x: Floats, same: Flags, seed: int) -> Score:
    from sklearn.tree import DecisionTreeClassifier

    model = DecisionTreeClassifier(max_depth=_DEPTH, class_weight="balanced", random_state=seed).fit(x, same)
    return lambda features: np.asarray(model.predict_proba(features)[:, 1])


def _lda(x: Floats, same: Flags, seed: int) -> Score:
    return fit_lda(x, same).log_odds


def _naive_bayes(x: Floats, same: Flags, seed: int) -> Score:
    from sklearn.naive_bayes import GaussianNB

    model = GaussianNB(priors=[0.5, 0.5]).fit(x, same)

    def log_odds(features: Floats) -> Floats:  # a product over thousands of channels: probabilities would all be 0 or 1
        joint = model.predict_joint_log_proba(features)
        return np.asarray(joint[:, 1] - joint[:, 0])

    return log_odds


def _random_forest(x: Floats, same: Flags, seed: int) -> Score:
    """Balanced random forest (Chen, Liaw and Breiman 2004): every tree draws as many pairs of either class as the
    rarer has."""
    from sklearn.tree import DecisionTreeClassifier

    rng = np.random.default_rng([seed, 0xF0])
    kinds = np.flatnonzero(same), np.flatnonzero(~same)
    size = min(k.size for k in kinds)
    data = x.astype(np.float32)
    trees = []
    for _ in range(_TREES):
        rows = np.concatenate([rng.choice(k, size) for k in kinds])
        tree = DecisionTreeClassifier(max_features="sqrt", random_state=int(rng.integers(2**31)))
        trees.append(tree.fit(data[rows], same[rows]))

    def score(features: Floats) -> Floats:
        part = features.astype(np.float32)
        return np.asarray(sum(tree.predict_proba(part)[:, 1] for tree in trees) / len(trees))

    return score


def _svm(x: Floats, same: Flags, seed: int) -> Score:
    """Radial basis functions as wide as scikit-learn's `scale`; the kernel is made by one matrix product."""
    from sklearn.svm import SVC

    gamma = 1 / (x.shape[1] * float(x.var()) or 1.0)
    data = x.astype(np.float32)
    square = np.einsum("pf,pf->p", data, data)

    def kernel(a: NDArray[np.float32], b: NDArray[np.float32], b_square: NDArray[np.float32]) -> Floats:
        distance = np.einsum("pf,pf->p", a, a)[:, None] + b_square - 2 * (a @ b.T)
        return np.asarray(np.exp(-gamma * np.maximum(distance, 0)), np.float64)

    model = SVC(C=_PENALTY, kernel="precomputed", class_weight="balanced").fit(kernel(data, data, square), same)
    support, weights = model.support_, model.dual_coef_[0].astype(np.float64)
    data, square, bias = data[support], square[support], float(model.intercept_[0])
    return lambda features: kernel(features.astype(np.float32), data, square) @ weights + bias


def _logistic_regression(x: Floats, same: Flags, seed: int) -> Score:
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_PENALTY, class_weight="balanced", max_iter=2000).fit(x, same)
    return lambda features: np.asarray(model.decision_function(features))


METHODS: Mapping[str, Method] = {
    "oplsda": Method(_oplsda, True, _clipped, f"1 predictive and {_ORTHOGONAL} orthogonal components"),
    "knn": Method(_knn, True, _as_it_is, "as many neighbours as the root of the pairs, weighted by distance"),
    "decision-tree": Method(_decision_tree, False, _as_it_is, f"Gini, depth {_DEPTH}"),
    "lda": Method(_lda, True, _logistic, "pooled covariance, pseudo-inverse"),
    "naive-bayes": Method(_naive_bayes, False, _logistic, "Gaussian"),
    "random-forest": Method(_random_forest, False, _as_it_is, f"{_TREES} trees, balanced draws"),
    "svm": Method(_svm, True, _logistic, f"radial basis, C {_PENALTY:g}"),
    "logistic-regression": Method(_logistic_regression, True, _logistic, f"L2 penalty {_PENALTY:g}"),
}
