"""Classifiers of spectra into labels, as NIR studies compare them: PLS-DA, ELM, BPNN.

Each is fitted to spectra ``(n, L)`` and labels ``(n,)`` of any type, and gives a probability or share for each of its
`classes`. They know nothing of groups: who may be trained on and judged is the caller's matter.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._pls import fit_pls
from spectrosim_search.config.errors import DataError

__all__ = ["Classifier", "fit_bpnn", "fit_elm", "fit_plsda"]

Floats = NDArray[np.float64]
_MOST_SHARE = 1e-12


@dataclass(frozen=True, eq=False)
class Classifier:
    """A fitted classifier; `classes` ``(K,)`` sorted."""

    classes: NDArray[np.generic]
    probabilities: Callable[[Floats], Floats]  # (N, L) → (N, K), rows sum to one

    def predict_proba(self, x: NDArray[np.floating]) -> Floats:
        """Spectra ``(N, L)`` → ``(N, K)``; rows sum to one."""
        return self.probabilities(np.asarray(x, np.float64))

    def predict(self, x: NDArray[np.floating]) -> NDArray[np.generic]:
        """Spectra ``(N, L)`` → the likeliest classes ``(N,)``."""
        return np.asarray(self.classes[self.predict_proba(x).argmax(axis=1)])


def _one_hot(y: NDArray[np.generic]) -> tuple[NDArray[np.generic], Floats]:
    classes, codes = np.unique(y, return_inverse=True)
    if classes.size < 2:
        raise DataError("a classifier needs spectra of at least two classes to learn from")
    return classes, np.eye(classes.size)[codes]


def _softmax(scores: Floats) -> Floats:
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def fit_plsda(x: NDArray[np.floating], y: NDArray[np.generic], components: int = 10) -> Classifier:
    """PLS discriminant analysis: one PLS1 model a class against the rest (Barker and Rayens 2003), the largest wins.

    Predicted memberships are near 0 and 1 but no probabilities: what is below 0 counts as 0 and rows are divided by
    their sum; where none is positive, by a softmax. Neither changes which is the largest. Raises DataError with one
    class.
    """
    classes, targets = _one_hot(y)
    models = [fit_pls(x, t, components) for t in targets.T]

    def probabilities(new: Floats) -> Floats:
        raw = np.stack([m.predict(new) for m in models], axis=1)
        positive = np.maximum(raw, 0.0)
        total = positive.sum(axis=1, keepdims=True)
        return np.where(total > _MOST_SHARE, positive / np.where(total > _MOST_SHARE, total, 1.0), _softmax(raw))

    return Classifier(classes, probabilities)


def fit_elm(
    x: NDArray[np.floating], y: NDArray[np.generic], *, seed: int, hidden: int = 500, penalty: float = 1e-3
) -> Classifier:
    """Extreme learning machine: a random sigmoid layer, its output weights by ridge regression on one-hot classes.

    Huang, Zhu and Siew (Neurocomputing 70, 2006). Channels are standardised and the random weights scaled by 1/√L, so
    that the sigmoids are neither flat nor saturated whatever the unit. `penalty`: of the squared weights, over the
    number of spectra. Raises DataError with one class.
    """
    classes, targets = _one_hot(y)
    rng = np.random.default_rng([seed, 0xE1])
    spectra: Floats = np.asarray(x, np.float64)
    mean, deviation = spectra.mean(axis=0), spectra.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    weights = rng.normal(size=(spectra.shape[1], hidden)) / np.sqrt(spectra.shape[1])
    bias = rng.uniform(-1, 1, size=hidden)

    def layer(new: Floats) -> Floats:
        return np.asarray(0.5 * (1 + np.tanh(0.5 * ((new - mean) / scale @ weights + bias))))

    h = layer(spectra)
    centre, level = h.mean(axis=0), targets.mean(axis=0)
    h = h - centre
    output = np.linalg.solve(h.T @ h + penalty * len(spectra) * np.eye(hidden), h.T @ (targets - level))
    # outputs lie between 0 and 1: the factor says how sure the shares are, not which is the largest
    return Classifier(classes, lambda new: _softmax(10 * ((layer(new) - centre) @ output + level)))


def fit_bpnn(
    x: NDArray[np.floating], y: NDArray[np.generic], *, seed: int, hidden: int = 64, epochs: int = 300
) -> Classifier:
    """Back-propagation network: one hidden layer (ReLU), Adam, on standardised channels. Raises DataError with one
    class."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    classes, _ = _one_hot(y)
    x = np.asarray(x, np.float64)
    mean, deviation = x.mean(axis=0), x.std(axis=0)
    scale = np.where(deviation > 0, deviation, 1.0)
    model = MLPClassifier((hidden,), max_iter=epochs, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what was asked for
        model.fit((x - mean) / scale, y)
    return Classifier(classes, lambda new: np.asarray(model.predict_proba((new - mean) / scale)))
