"""A classifier of pairs as a baseline: trained on the known pairs of the training spectra, asked about others.

Baselines on x1 - x2 are the papers'. That vector turns its sign with the order inside a pair, which is arbitrary: in
training it is drawn, scoring takes left - right as the pairs come. What is linear in x1 - x2 (OPLS-DA, LDA, logistic
regression) can then only learn the accidents of the draw, and what is not sees *same* as a region round zero. |x1 -
x2| does not depend on the order. Both are compared with every other method under the same protocol.
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
    setting = _Setting(data, kind)
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
    setting = _Setting(data, kind)
    total = [np.zeros(len(p)) for p in data.pairs]
    for name, method in METHODS.items():
        for sum_, score in zip(total, setting.score(name), strict=True):
            sum_ += method.probability(score)
    line = f"{setting.line}, mean probability of {len(METHODS)} classifiers"
    return BaselineOutput(tuple((s / len(METHODS)).astype(np.float32) for s in total), line)


class _Setting:
    """Preprocessed spectra, training pairs and pairs to score, by places among the rows that occur."""

    def __init__(self, data: BaselineInput, kind: Kind) -> None:
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

    def score(self, name: str) -> list[Floats]:
        """Decision values of all pairs to score."""
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
