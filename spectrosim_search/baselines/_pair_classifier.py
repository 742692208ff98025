"""A classifier of pairs as a baseline: trained on the known pairs of the training spectra, asked about others.

Baselines on x1 - x2 are the papers'. That vector turns its sign with the order inside a pair, which is arbitrary: in
training it is drawn, scoring takes left - right as the pairs come. What is linear in x1 - x2 (OPLS-DA, LDA, logistic
regression) can then only learn the accidents of the draw, and what is not sees *same* as a region round zero. |x1 -
x2| does not depend on the order. Both are compared with every other method under the same protocol.

The methods of one kind are a family (`FAMILY` of their modules): fitted one after the other on the same input, each
finds spectra and pairs prepared, and the vote finds its members' scores.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._pair_features import Kind, PairFeatures, pair_features
from spectrosim_search.baselines._pair_methods import METHODS
from spectrosim_search.baselines._preprocessing import fixed
from spectrosim_search.baselines._training_pairs import TrainingPairs, training_pairs
from spectrosim_search.spectra.preprocessing import describe, fit

__all__ = ["classify", "vote"]

Floats = NDArray[np.float64]


def classify(data: BaselineInput, method: str, kind: Kind) -> BaselineOutput:
    """Fit one of `METHODS` and score pairs by its decision value.

    Preprocessing is the fixed one (square root, or SNV where intensities can be negative), then all features are
    divided by one number, so that penalties do not depend on the unit. Raises DataError without pairs of either kind.
    """
    setting = _setting(data, kind)
    similarities = setting.score(method)
    return BaselineOutput(
        tuple(s.astype(np.float32) for s in similarities), f"{setting.line}, {METHODS[method].settings}"
    )


def vote(data: BaselineInput, kind: Kind) -> BaselineOutput:
    """Mean probability of *same* over all `METHODS` (soft voting), at equal priors.

    Eight hard votes take nine values, which an AUC cannot rank; a mean of ranks would make a pair's
    score depend on the other pairs asked about. Decision values are turned into probabilities by the method's own
    model, or by a logistic function (SVM); OPLS-DA's prediction of 0 or 1 is clipped.
    """
    setting = _setting(data, kind)
    total = [np.zeros(len(p)) for p in data.pairs]
    for name, method in METHODS.items():
        for sum_, score in zip(total, setting.score(name), strict=True):
            sum_ += method.probability(score)
    line = f"{setting.line}, mean probability of {len(METHODS)} classifiers"
    return BaselineOutput(tuple((s / len(METHODS)).astype(np.float32) for s in total), line)


def _setting(data: BaselineInput, kind: Kind) -> _Setting:
    """The setting another method of the kind left for the same input, else a new one, left for the next."""
    if data.shared is None:
        return _Setting(data, kind)
    kept = data.shared.get(kind)
    if not isinstance(kept, _Setting) or not kept.serves(data):
        kept = data.shared[kind] = _Setting(data, kind)
    return kept


class _Setting:
    """Preprocessed spectra, training pairs and pairs to score, by places among the rows that occur."""

    def __init__(self, data: BaselineInput, kind: Kind) -> None:
        self._data = data
        self._scores: dict[str, list[Floats]] = {}
        settings = fixed(data)
        rng = np.random.default_rng([data.training_seed, 0x9A1])
        state = fit(settings, data.spectra.intensities[data.train])
        asked = [np.concatenate([p.left, p.right]) for p in data.pairs]
        rows = np.unique(np.concatenate([data.train, *asked]))
        self.pairs: TrainingPairs = training_pairs(data, rng)
        self.train = np.searchsorted(rows, data.train)
        spectra = state.transform(data.spectra.intensities[rows])
        self.features: PairFeatures = pair_features(kind, spectra, self.train, self.pairs)
        self.asked = [(np.searchsorted(rows, p.left), np.searchsorted(rows, p.right)) for p in data.pairs]
        self.seed = int(rng.integers(2**31))
        drawn = "" if self.pairs.known == self.pairs.same.size else f" of {self.pairs.known}"
        what = "|x1 - x2|" if kind == "absolute" else "x1 - x2"
        self.line = f"{describe(settings)}, {what}, {self.pairs.same.size}{drawn} training pairs"

    def serves(self, data: BaselineInput) -> bool:
        """Whether everything a score depends on is the same in `data`."""
        mine = self._data
        return (
            mine.spectra.fingerprint == data.spectra.fingerprint
            and mine.training_seed == data.training_seed
            and len(mine.pairs) == len(data.pairs)
            and all(_equal(a, b) for a, b in zip(_arrays(mine), _arrays(data), strict=True))
        )

    def score(self, name: str) -> list[Floats]:
        """Decision values of all pairs to score; a method is fitted the first time it is asked for."""
        if name not in self._scores:
            self._scores[name] = self._fitted(name)
        return self._scores[name]

    def _fitted(self, name: str) -> list[Floats]:
        method = METHODS[name]
        take = self.features.rotated if method.rotates else self.features.channels
        left, right = self.train[self.pairs.left], self.train[self.pairs.right]
        score = method.fit(take(left, right), self.pairs.same, self.seed)
        out = []
        for a, b in self.asked:
            values = np.empty(a.size)
            for part, features in self.features.chunks(a, b, rotated=method.rotates):
                values[part] = score(features)
            out.append(values)
        return out


def _arrays(data: BaselineInput) -> list[NDArray[np.integer] | None]:
    """Rows, groups, relation and pairs, each pair in its order."""
    asked = [side for p in data.pairs for side in (p.left, p.right)]
    return [data.train, data.groups, data.relation, *asked]


def _equal(a: NDArray[np.integer] | None, b: NDArray[np.integer] | None) -> bool:
    if a is None or b is None:
        return a is b
    return np.array_equal(a, b)
