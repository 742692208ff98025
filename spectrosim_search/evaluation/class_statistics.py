"""Accuracy and macro F1 of named classes: scores, intervals, paired differences and what a selection adds.

A *class method* is a sequence over training seeds of the parts (folds, or the held-out part) that the models of that
seed were judged on. A seed's parts are put together before anything is computed, since a fold of a small set may miss
a class; seeds are averaged. What is left out or drawn as a whole is a unit: a production batch, a compound, a class
(`ClassDesign.units`). The interval is the delete-one-unit jackknife (Tukey 1958; Miller 1974, Biometrika 61:1) with
Student's t on U - 1 degrees of freedom, the correction is BBC-CV over units as in
:mod:`spectrosim_search.evaluation.bootstrap`, bounded by the winner's lead over the mean trial.

Shapes: N spectra of the whole set, U units, C classes, R weightings of the units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.bootstrap import select_among
from spectrosim_search.evaluation.scores import ClassScores, Estimate
from spectrosim_search.evaluation.statistics import Difference, difference_of, interval_of

__all__ = [
    "CLASS_METRICS",
    "ClassLayout",
    "ClassMethod",
    "class_difference",
    "class_jackknife",
    "class_metrics",
    "class_optimism",
    "class_score",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
ClassMethod = Sequence[Sequence[ClassScores]]

CLASS_METRICS = ("accuracy", "macro_f1")


@dataclass(frozen=True, eq=False)
class _Counts:
    """Judged spectra of one seed by unit and class, ``(U, C)`` each."""

    truth: FloatArray
    predicted: FloatArray
    right: FloatArray

    @classmethod
    def of(cls, parts: Sequence[ClassScores], unit_of: IntArray, units: int, classes: int) -> _Counts:
        rows, truth, predicted = (
            np.concatenate([getattr(p, name) for p in parts]) for name in ("rows", "truth", "predicted")
        )
        unit = unit_of[rows]

        def table(code: IntArray, kept: NDArray[np.bool_] | slice) -> FloatArray:
            flat = np.bincount(unit[kept] * classes + code[kept], minlength=units * classes)
            return flat.reshape(units, classes).astype(np.float64)

        named = predicted >= 0  # a rejected spectrum has no class
        return cls(table(truth, slice(None)), table(predicted, named), table(truth, truth == predicted))

    def values(self, weights: FloatArray, metric: str) -> FloatArray:
        """The metric under each weighting ``(R, U)`` → ``(R,)``; NaN where no spectrum has weight."""
        return _values([weights @ counts for counts in self._needed(metric)], metric)

    def without(self, metric: str) -> FloatArray:
        """The metric of all units, then without each one ``(1 + U,)``; no table of units × units is made."""
        return _values([_without(counts) for counts in self._needed(metric)], metric)

    def _needed(self, metric: str) -> list[FloatArray]:
        """Counts of truth, predicted and right by unit and class ``(U, C)``; of all classes together ``(U, 1)`` where
        the metric does not tell them apart."""
        counts = [self.truth, self.predicted, self.right]
        return [table.sum(axis=1, keepdims=True) for table in counts] if metric == "accuracy" else counts


def _without(counts: FloatArray) -> FloatArray:
    """Sums over all units, and without each one: ``(U, C)`` → ``(1 + U, C)``."""
    total = counts.sum(axis=0, keepdims=True)
    return np.concatenate([total, total - counts])


def _values(counts: Sequence[FloatArray], metric: str) -> FloatArray:
    """The metric ``(R,)`` of counts of truth, predicted and right ``(R, C)`` each; NaN where there are none."""
    truth, predicted, right = counts
    present = truth > 0
    if metric == "accuracy":
        return np.asarray(np.where(present, right / np.where(present, truth, 1.0), np.nan)[:, 0])
    f1 = np.where(present, 2.0 * right / np.where(present, truth + predicted, 1.0), 0.0)
    classes = present.sum(axis=1)
    return np.asarray(np.where(classes > 0, f1.sum(axis=1) / np.maximum(classes, 1), np.nan))


@dataclass(frozen=True, eq=False)
class ClassLayout:
    """Units that any of some methods is judged on, numbered from 0; `unit_of` ``(N,)``, -1 elsewhere."""

    unit_of: IntArray
    count: int
    classes: int

    @classmethod
    def of(cls, methods: Sequence[ClassMethod], units: IntArray) -> ClassLayout:
        """Lay out what these methods judged, by ``(N,)`` codes of what is independent."""
        parts = [p for method in methods for seed in method for p in seed]
        rows = np.unique(np.concatenate([p.rows for p in parts])) if parts else np.zeros(0, np.int64)
        if (units[rows] < 0).any():
            raise ValueError("a judged spectrum belongs to no unit")
        names, inverse = np.unique(units[rows], return_inverse=True)
        unit_of = np.full(len(units), -1, dtype=np.int64)
        unit_of[rows] = inverse
        highest = max((int(max(p.truth.max(), p.predicted.max())) for p in parts if len(p.rows)), default=-1)
        return cls(unit_of, len(names), highest + 1)

    def under(self, method: ClassMethod, weights: FloatArray, metric: str) -> FloatArray:
        """Mean over seeds of the metric under each weighting ``(R,)``."""
        if not method:
            return np.full(len(weights), np.nan)
        return np.asarray(np.mean([counts.values(weights, metric) for counts in self._counts(method)], axis=0))

    def without(self, method: ClassMethod, metric: str) -> FloatArray:
        """Mean over seeds of the metric over all units, then over all but each one ``(1 + U,)``."""
        return np.asarray(np.mean([counts.without(metric) for counts in self._counts(method)], axis=0))

    def _counts(self, method: ClassMethod) -> Iterator[_Counts]:
        return (_Counts.of(seed, self.unit_of, self.count, self.classes) for seed in method)

    def resampled(self, repeats: int, seed: Sequence[int]) -> tuple[FloatArray, FloatArray]:
        """How often units are drawn in each bootstrap sample of them, and 1 where they are not: two ``(R, U)``."""
        chance = np.full(self.count, 1.0 / self.count)
        drawn = np.random.default_rng(list(seed)).multinomial(self.count, chance, size=repeats).astype(np.float64)
        return drawn, (drawn == 0).astype(np.float64)


def class_metrics(parts: Sequence[ClassScores]) -> dict[str, float]:
    """Accuracy and macro F1 of parts put together; NaN without a judged spectrum.

    Macro F1 is the mean over the classes that spectra have: a class left out with its spectra, as the jackknife leaves
    one out, must not count as a failed one because others were named so.
    """
    rows = sum(len(p.rows) for p in parts)
    if rows == 0:
        return dict.fromkeys(CLASS_METRICS, float("nan"))
    size = 1 + max(int(p.rows.max()) for p in parts if len(p.rows))
    layout = ClassLayout.of([[parts]], np.zeros(size, dtype=np.int64))
    one = np.ones((1, 1))
    return {metric: float(layout.under([parts], one, metric)[0]) for metric in CLASS_METRICS}


def class_score(method: ClassMethod, metric: str) -> float:
    """Mean over seeds of the metric; NaN without a seed."""
    return float(np.mean([class_metrics(seed)[metric] for seed in method])) if method else float("nan")


def class_jackknife(method: ClassMethod, units: IntArray, metric: str) -> Estimate:
    """Score of a method with its 95 % interval over units, made on the logit scale.

    units: ``(N,)`` codes of what is independent. Where every spectrum is named rightly (or wrongly) the bound is the
    exact one for the share of faultless units, .025^(1/U).
    """
    if not any(len(p.rows) for seed in method for p in seed):
        return Estimate(float("nan"), note="no spectrum was judged")
    layout = ClassLayout.of([method], units)
    values = layout.without(method, metric)
    return interval_of(float(values[0]), values[1:])


def class_difference(a: ClassMethod, b: ClassMethod, units: IntArray, metric: str) -> Difference:
    """Score of `a` minus score of `b` with its 95 % interval, paired by leaving out the same units."""
    if not a or not b:
        return Difference(Estimate(float("nan"), note="no spectrum was judged"), float("nan"), 0.0, 0)
    layout = ClassLayout.of([a, b], units)
    values = layout.without(a, metric) - layout.without(b, metric)
    return difference_of(float(values[0]), values[1:])


def class_optimism(
    trials: Mapping[str, ClassMethod], units: IntArray, metric: str, *, repeats: int = 500, seed: int = 0
) -> float:
    """What choosing the best of these methods adds to its score: bootstrapped selection over units, at least 0.

    In each resample the method that is best on the drawn units is scored on those not drawn (BBC-CV, Tsamardinos et
    al. 2018, Mach. Learn. 107:1895), each method's own out-of-bag mean taken off. Never more than the best method's
    lead over the mean one, and that where no resample can be used.
    """
    known = {name: method for name, method in trials.items() if method}
    if len(known) < 2:
        return 0.0
    layout = ClassLayout.of(list(known.values()), units)
    weights = np.concatenate([np.ones((1, layout.count)), *layout.resampled(repeats, [seed, 601])])
    table = np.array([layout.under(method, weights, metric) for method in known.values()])
    full, inside, outside = table[:, 0], table[:, 1 : 1 + repeats], table[:, 1 + repeats :]
    bound = float(full.max() - full.mean())
    found = select_among(full, inside, outside).optimism
    return max(0.0, bound if math.isnan(found) else min(found, bound))
