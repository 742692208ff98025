"""Neural binary classifiers of pairs: SpectroSim's encoders on the difference of two spectra.

Trained on the known pairs of the training rows, for a fixed number of epochs: no pair chooses when to stop, least of
all one that is judged (the first paper stopped early on test data). The score is the logit.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._preprocessing import fixed
from spectrosim_search.config import registry
from spectrosim_search.config.configuration import Component, Optimiser, Scalar
from spectrosim_search.learning.binary import BinaryClassifier, BinaryTraining, train_binary
from spectrosim_search.learning.numbered_pairs import KnownPairs
from spectrosim_search.spectra.preprocessing import describe, fit

__all__ = ["CHAPTER", "REVISION", "TRAINING", "chapter_encoder", "fit_score_binary", "known_pairs"]

TRAINING = BinaryTraining()  # of all rows; tests of what does not depend on it put a shorter one in its place
REVISION = 1  # of the scores under `TRAINING`; 0: 30 epochs, 4 negatives a positive, batches of 32, rate 1e-3
Transform = Callable[[NDArray[np.float32]], NDArray[np.float32]]

# SpectroSim chapter, table of settings; all pairs, batch 16 as in the paper; weight decay and schedule are not printed
CHAPTER = BinaryTraining(
    epochs=100,
    batch_size=16,
    most_batches=256,
    negatives=math.inf,
    label_smoothing=0.1,
    optimiser=Optimiser(learning_rate=1e-5),
)
_CHAPTER_SIZES: dict[str, Scalar] = {"width": 128, "depth": 4, "stages": 4, "heads": 4, "dropout": 0.2, "out": 128}


def chapter_encoder(name: str) -> Component:
    """The encoder with the chapter's sizes: of hidden 128, 4 layers, 4 heads, dropout .2 what it knows."""
    declared = {f.name for f in dataclasses.fields(registry.load("learning.encoders", name).Settings)}
    return Component.of(name, **{key: value for key, value in _CHAPTER_SIZES.items() if key in declared})


def known_pairs(data: BaselineInput) -> KnownPairs:
    """The pairs of training rows that may be learnt from; places count `data.train`."""
    if data.relation is not None:
        return KnownPairs.of_relation(data.relation[np.ix_(data.train, data.train)])
    return KnownPairs.of_groups(data.groups[data.train])


def fit_score_binary(
    data: BaselineInput,
    encoder: str | Component,
    *,
    absolute: bool = False,
    training: BinaryTraining | None = None,
) -> BaselineOutput:
    """Train on x_left - x_right (or its absolute value) of known training pairs and score all pairs by the logit.

    `encoder`: a name, with the encoder's default settings, or a component with others; `training`: other than
    `TRAINING`. Raises DataError where the training rows hold no known pair of either kind.
    """
    component = Component.of(encoder) if isinstance(encoder, str) else encoder
    how = TRAINING if training is None else training
    settings = fixed(data)
    state = fit(settings, data.spectra.intensities[data.train])
    train = state.transform(data.spectra.intensities[data.train])
    axis = state.axis(data.spectra.axis)
    model = train_binary(component, train, axis, known_pairs(data), data.training_seed, how, absolute=absolute)
    shown = "|difference|" if absolute else "difference"
    negatives = "all" if math.isinf(how.negatives) else f"{how.negatives:g} times as many"
    line = (
        f"{describe(settings)}, {shown} over its root mean square, {how.epochs} epochs, {negatives} negatives, "
        f"rate {how.optimiser.learning_rate:g}, label smoothing {how.label_smoothing:g}"
    )
    return BaselineOutput(_scores(data, model, state.transform), line, settings)


def _scores(data: BaselineInput, model: BinaryClassifier, transform: Transform) -> tuple[NDArray[np.float32], ...]:
    """Logits of all sets of pairs; a pair that occurs in several sets (halves drawn anew) is computed once."""
    if not data.pairs:
        return ()
    left, right = (np.concatenate([getattr(p, side) for p in data.pairs]) for side in ("left", "right"))
    pairs, back = np.unique(np.stack([left, right], axis=1), axis=0, return_inverse=True)
    rows, places = np.unique(pairs, return_inverse=True)
    places = places.reshape(pairs.shape)
    logits = model.logits(transform(data.spectra.intensities[rows]), places[:, 0], places[:, 1])[back.reshape(-1)]
    return tuple(np.split(logits, np.cumsum([len(p) for p in data.pairs])[:-1]))
