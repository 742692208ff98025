"""How well classes were named: accuracy, macro F1, who was taken for whom, and curves over the share of labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.scores import ClassScores

__all__ = ["LabelCurve", "accuracy", "confusion", "label_curve", "macro_f1"]


def confusion(scores: ClassScores, classes: int) -> NDArray[np.int64]:
    """Return how many spectra of class i were named j, ``(C, C)``."""
    table = np.zeros((classes, classes), dtype=np.int64)
    np.add.at(table, (scores.truth, scores.predicted), 1)
    return table


def accuracy(scores: ClassScores) -> float:
    """Return the share named rightly; NaN without spectra."""
    return float((scores.truth == scores.predicted).mean()) if scores.truth.size else float("nan")


def macro_f1(scores: ClassScores) -> float:
    """Return the mean over classes of 2 TP / (2 TP + FP + FN); NaN without spectra.

    Over the classes that occur, as truth or as answer: one that was named but never occurs scores 0.
    """
    if not scores.truth.size:
        return float("nan")
    table = confusion(scores, int(max(scores.truth.max(), scores.predicted.max())) + 1)
    right, total = np.diag(table), table.sum(axis=0) + table.sum(axis=1)
    return float((2 * right[total > 0] / total[total > 0]).mean())


@dataclass(frozen=True, eq=False)
class LabelCurve:
    """A score against the share of training spectra whose class was known.

    fractions ``(F,)`` rising; mean and spread ``(F,)`` over repeats (other folds' seeds, other labelled spectra). The
    spread is that of training and splitting, not of the population.
    """

    fractions: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]

    def reached(self, score: float) -> float:
        """Return the smallest share, linearly between those measured, at which the mean reaches `score`; NaN where it
        never does."""
        above = np.flatnonzero(self.mean >= score)
        if not above.size:
            return float("nan")
        at = int(above[0])
        if at == 0:
            return float(self.fractions[0])
        low, high = self.mean[at - 1], self.mean[at]
        part = (score - low) / (high - low)
        return float(self.fractions[at - 1] + part * (self.fractions[at] - self.fractions[at - 1]))


def label_curve(values: Mapping[float, Sequence[float]]) -> LabelCurve:
    """Return the curve of scores by label fraction, one value a repeat; the spread of one repeat is NaN."""
    fractions = np.array(sorted(values), dtype=np.float64)
    table = [np.asarray(values[f], dtype=np.float64) for f in fractions.tolist()]
    mean = np.array([v.mean() for v in table])
    spread = np.array([v.std(ddof=1) if v.size > 1 else np.nan for v in table])
    return LabelCurve(fractions, mean, spread)
