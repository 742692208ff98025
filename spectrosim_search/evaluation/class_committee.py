"""Committees that name a class: members vote, and what choosing the best few of many does to the score of their vote.

A member votes for the class that it names. Its vote weighs (1 + s) / 2, s being how sure it is (a cosine or a
probability, cut to 0 to 1): unsure members are outvoted sooner, and ties are rare. The score of a class is its votes
over the number of members, so that it is 1 where all are sure and agree. A member that rejects a spectrum votes for
nobody. Votes need no more of a member than the class it names, and no common scale of what members call similar
(plurality voting, Kuncheva 2014, chapter 4).

Shapes: E members, M spectra, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.class_statistics import ClassLayout, ClassMethod
from spectrosim_search.evaluation.committee import SMALLEST
from spectrosim_search.evaluation.scores import ClassScores, MixtureScores

__all__ = ["class_committee_optimism", "vote", "vote_components", "voted_mixtures", "votes"]

IntArray = NDArray[np.int64]
_EARLIER = 1e-6  # how much more the vote of an earlier member weighs where components are level


def votes(predicted: IntArray, confidence: NDArray[np.floating], classes: int) -> NDArray[np.float32]:
    """Score of every class ``(M, C)`` from the classes that members name ``(E, M)`` (-1: none) and how sure they are
    ``(E, M)``."""
    members, count = predicted.shape
    weight = np.where(predicted >= 0, (1.0 + np.clip(confidence, 0.0, 1.0)) / 2.0, 0.0)
    place = np.arange(count) * classes + np.maximum(predicted, 0)
    flat = np.bincount(place.ravel(), weight.ravel(), minlength=count * classes)
    return np.asarray(flat.reshape(count, classes) / members, np.float32)


def vote(members: Sequence[ClassScores]) -> ClassScores:
    """One part of a committee: what its members name together.

    Raises ValueError where they did not name the same spectra.
    """
    first = members[0]
    if any(not np.array_equal(m.rows, first.rows) for m in members):
        raise ValueError("members of a committee did not name the same spectra")
    predicted = np.stack([m.predicted for m in members])
    classes = 1 + max(0, int(predicted.max(initial=0)))
    scores = votes(predicted, np.stack([m.confidence for m in members]), classes)
    confidence = scores.max(axis=1)
    named = np.where(confidence > 0, scores.argmax(axis=1), -1).astype(np.int64)
    return ClassScores(first.rows, first.truth, named, confidence)


def vote_components(found: Sequence[IntArray], classes: int) -> IntArray:
    """The k classes ``(M, k)`` that most members count among a mixture's components, of those of each ``(M, k)``.

    Level classes: those of earlier members first.
    """
    count, order = found[0].shape
    score = np.zeros((count, classes))
    for place, own in enumerate(found):
        np.put_along_axis(score, own, np.take_along_axis(score, own, axis=1) + 1.0 - _EARLIER * place, axis=1)
    return np.sort(np.argsort(-score, axis=1, kind="stable")[:, :order], axis=1).astype(np.int64)


def voted_mixtures(members: Sequence[MixtureScores]) -> MixtureScores:
    """Mixtures of one number of components that every member took apart.

    Raises ValueError where they were not given the same mixtures.
    """
    first = members[0]
    if any(not np.array_equal(m.truth, first.truth) for m in members):
        raise ValueError("members of a committee did not take the same mixtures apart")
    classes = 1 + max(int(m.found.max(initial=0)) for m in members)
    return MixtureScores(first.truth, vote_components([m.found for m in members], classes))


def class_committee_optimism(
    trials: Mapping[str, ClassMethod], size: int, units: IntArray, metric: str, *, repeats: int = 500, seed: int = 0
) -> float:
    """What choosing the `size` best of these methods adds to the score of their vote, at least 0.

    In each resample of the units the methods that are best on the drawn ones vote, and are scored on those not drawn,
    less the mean out-of-bag score of that committee (BBC-CV, Tsamardinos et al. 2018, Mach. Learn. 107:1895). 0 with
    too few methods. Raises ValueError where methods did not name the same spectra.
    """
    known = [method for method in trials.values() if method]
    if len(known) < SMALLEST:
        return 0.0
    layout = ClassLayout.of(known, units)
    drawn, absent = layout.resampled(repeats, [seed, 613])
    table = np.array([layout.under(m, np.concatenate([np.ones((1, layout.count)), drawn]), metric) for m in known])
    resamples: dict[tuple[int, ...], list[int]] = {}
    for r in range(repeats):
        resamples.setdefault(_best(table[:, 1 + r], size), []).append(r)
    weights = np.concatenate([np.ones((1, layout.count)), absent])

    def scored(chosen: tuple[int, ...]) -> NDArray[np.float64]:
        seeds = zip(*(known[i] for i in chosen), strict=True)
        return layout.under([[vote(parts) for parts in zip(*seed, strict=True)] for seed in seeds], weights, metric)

    terms: list[float] = []
    for chosen, own in resamples.items():
        values = scored(chosen)
        usual = float(np.nanmean(values[1:]))
        terms += [float(values[0]) + float(values[1 + r]) - usual for r in own]
    usable = [t for t in terms if t == t]
    full = float(scored(_best(table[:, 0], size))[0])
    return max(0.0, full - float(np.mean(usable))) if usable else 0.0


def _best(scores: NDArray[np.float64], size: int) -> tuple[int, ...]:
    """Numbers of the `size` best methods in their order; undefined scores last."""
    order = np.argsort(np.where(np.isnan(scores), np.inf, -scores), kind="stable")
    return tuple(sorted(int(i) for i in order[:size]))
