"""What synthetic spectra are worth to a classifier: a random forest or a small network that names classes.

Both learn from spectra scaled to Euclidean length 1 and are kept as plain arrays, so that a model folder can hold them
and a prediction needs no scikit-learn. Shapes: n training spectra, K new ones, L channels, C classes.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError

__all__ = ["fit_classifier", "scores"]

Arrays = dict[str, NDArray[np.float32]]
Kind = Literal["random-forest", "network"]
_TREES, _HIDDEN, _EPOCHS = 100, 128, 60
_LENGTH = 10.0  # spectra are fed to the network at this length: its starting weights expect features near 1


def _features(x: NDArray[np.floating]) -> NDArray[np.float32]:
    size = np.linalg.norm(x, axis=1, keepdims=True)
    return np.asarray(x / np.where(size > 0, size, 1.0), np.float32)


def fit_classifier(
    kind: Kind, spectra: NDArray[np.floating], classes: NDArray[np.int64], count: int, seed: int
) -> Arrays:
    """Train on spectra ``(n, L)`` of classes ``(n,)``, codes below `count`; everything learnt, by name.

    A forest of 100 trees (Breiman 2001), or a network with one hidden layer of 128 units, 60 epochs of Adam. Raises
    DataError below two classes.
    """
    present = np.unique(classes)
    if present.size < 2:
        raise DataError(f"a classifier needs at least two classes, the training spectra have {present.size}")
    x = _features(spectra)
    return _forest(x, classes, count, seed) if kind == "random-forest" else _network(x, classes, count, seed)


def _forest(x: NDArray[np.float32], classes: NDArray[np.int64], count: int, seed: int) -> Arrays:
    from sklearn.ensemble import RandomForestClassifier

    model = RandomForestClassifier(_TREES, random_state=seed % 2**32, n_jobs=1)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="The number of unique classes is greater than 50%")
        model.fit(x, classes)  # one spectrum a compound is what is asked about
    trees = [e.tree_ for e in model.estimators_]
    first = np.cumsum([0] + [t.node_count for t in trees])
    value = np.zeros((first[-1], count), dtype=np.float32)
    for tree, start in zip(trees, first, strict=False):
        leaf = tree.value[:, 0, :]
        value[start : start + tree.node_count, model.classes_] = leaf / leaf.sum(axis=1, keepdims=True)

    def joined(name: str, shift: bool) -> NDArray[np.float32]:
        parts = [getattr(t, name) + (s * (getattr(t, name) >= 0) if shift else 0) for t, s in zip(trees, first)]
        return np.concatenate(parts).astype(np.float32)

    left, right = joined("children_left", True), joined("children_right", True)
    own = np.arange(left.size, dtype=np.float32)
    # below 2^24 nodes float32 numbers them exactly; a leaf points at itself
    return {
        "forest.start": first[:-1].astype(np.float32),
        "forest.left": np.where(left < 0, own, left),
        "forest.right": np.where(right < 0, own, right),
        "forest.feature": np.maximum(joined("feature", False), 0),
        "forest.threshold": _rounded_down(np.concatenate([t.threshold for t in trees])),
        "forest.value": value,
    }


def _rounded_down(x: NDArray[np.float64]) -> NDArray[np.float32]:
    """The largest float32 not above x: float32 features fall on the same side of it as of x."""
    out = x.astype(np.float32)
    return np.where(out > x, np.nextafter(out, np.float32(-np.inf)), out)


def _network(x: NDArray[np.float32], classes: NDArray[np.int64], count: int, seed: int) -> Arrays:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.neural_network import MLPClassifier

    model = MLPClassifier((_HIDDEN,), max_iter=_EPOCHS, learning_rate_init=3e-3, random_state=seed % 2**32)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # so many epochs are what was asked for
        model.fit(_LENGTH * x, classes)
    weight, bias = model.coefs_[1], model.intercepts_[1]
    if model.classes_.size == 2:  # one logistic output stands for two classes
        weight, bias = np.concatenate([0 * weight, weight], axis=1), np.concatenate([0 * bias, bias])
    last, offset = np.zeros((_HIDDEN, count)), np.full(count, -1e9)  # classes without spectra are never named
    last[:, model.classes_], offset[model.classes_] = weight, bias
    arrays = {"hidden": model.coefs_[0], "hidden.bias": model.intercepts_[0], "last": last, "last.bias": offset}
    return {f"network.{n}": np.asarray(v, np.float32) for n, v in arrays.items()}


def scores(classifier: Mapping[str, NDArray[np.float32]], spectra: NDArray[np.floating]) -> NDArray[np.float32]:
    """Probabilities of the classes of spectra ``(K, L)`` under a classifier of :func:`fit_classifier`: ``(K, C)``."""
    x = _features(spectra)
    if "forest.start" in classifier:
        left, right = classifier["forest.left"].astype(np.int64), classifier["forest.right"].astype(np.int64)
        feature, threshold = classifier["forest.feature"].astype(np.int64), classifier["forest.threshold"]
        node = np.repeat(classifier["forest.start"].astype(np.int64)[None], x.shape[0], axis=0)
        rows = np.arange(x.shape[0])[:, None]
        while True:
            below = np.where(x[rows, feature[node]] <= threshold[node], left[node], right[node])
            if (below == node).all():
                break
            node = below
        total = np.zeros((x.shape[0], classifier["forest.value"].shape[1]))
        for tree in range(node.shape[1]):
            total += classifier["forest.value"][node[:, tree]]
        return np.asarray(total / node.shape[1], np.float32)
    hidden = np.maximum(_LENGTH * x @ classifier["network.hidden"] + classifier["network.hidden.bias"], 0.0)
    logits = hidden @ classifier["network.last"] + classifier["network.last.bias"]
    raised = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=1, keepdims=True), np.float32)
