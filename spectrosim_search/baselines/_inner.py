"""Inner grouped folds of the training rows, by which settings are chosen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.baselines._contract import BaselineInput
from spectrosim_search.baselines._known import known_negative, training_groups
from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.verification import auc, matched_auc
from spectrosim_search.protocol.folds import grouped_folds

__all__ = ["InnerFold", "InnerScore", "best", "chosen_line", "draw_groups", "inner_folds", "score"]

_FOLDS = 3
_MOST_SPECTRA = 1500  # whole groups drawn for choosing; the final fit uses all training spectra
_MOST_NEGATIVES = 20_000  # of a fold, drawn at random: the AUC of a sample of negatives is unbiased

InnerScore = tuple[float, float]  # matched-label AUC and AUC over all pairs of one fold; NaN where undefined


@dataclass(frozen=True, eq=False)
class InnerFold:
    """Rows of the spectra set to fit on and to judge on; pairs point into `judge`."""

    fit: NDArray[np.int64]
    groups: NDArray[np.int64]  # codes of `fit`
    judge: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    positive: NDArray[np.bool_]
    stratum: NDArray[np.int64]


def draw_groups(groups: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.int64]:
    """Places of whole groups ``(m,)`` of codes ``(n,)``, drawn until `_MOST_SPECTRA` is reached; all where they fit."""
    if groups.size <= _MOST_SPECTRA:
        return np.arange(groups.size)
    codes = rng.permutation(np.unique(groups))
    counts = np.bincount(groups, minlength=int(groups.max()) + 1)[codes]
    kept = codes[: max(2, int(np.searchsorted(np.cumsum(counts), _MOST_SPECTRA)))]
    return np.flatnonzero(np.isin(groups, kept))


def inner_folds(data: BaselineInput) -> list[InnerFold]:
    """Three label-stratified grouped folds of the training rows (two where groups are few, none where even those
    fail)."""
    rng = np.random.default_rng([data.seed, 0x1FE])
    groups = training_groups(data)
    kept = draw_groups(groups, rng)
    groups, rows = groups[kept], data.train[kept]
    fold: NDArray[np.int64] | None = None
    for k in range(_FOLDS, 1, -1):
        try:
            fold = grouped_folds(groups, data.labels[rows], data.spectra.split[rows], k, data.seed)
        except InputError:
            continue  # too few groups of two or more for k folds: with fewer folds, or none, it still goes
        break
    if fold is None:
        return []
    folds = []
    for number in range(int(fold.max()) + 1):
        inside = fold == number
        if len(set(groups[~inside].tolist())) < (~inside).sum() and inside.any():  # else nothing to fit or to judge
            folds.append(_one_fold(data, rows[~inside], groups[~inside], rows[inside], groups[inside], rng))
    return folds


def _one_fold(
    data: BaselineInput,
    fit: NDArray[np.int64],
    fit_groups: NDArray[np.int64],
    judge: NDArray[np.int64],
    judge_groups: NDArray[np.int64],
    rng: np.random.Generator,
) -> InnerFold:
    left, right = np.triu_indices(judge.size, 1)
    positive = judge_groups[left] == judge_groups[right]
    negatives = np.flatnonzero(~positive & known_negative(data, judge[left], judge[right]))
    if negatives.size > _MOST_NEGATIVES:
        negatives = np.sort(rng.choice(negatives, _MOST_NEGATIVES, replace=False))
    pairs = np.concatenate([np.flatnonzero(positive), negatives])
    left, right, positive = left[pairs], right[pairs], positive[pairs]
    a, b = data.labels[judge[left]], data.labels[judge[right]]
    low, high = np.minimum(a, b), np.maximum(a, b)
    stratum = np.where(low < 0, -1, low * (int(data.labels.max(initial=0)) + 1) + high)
    return InnerFold(fit, fit_groups, judge, left, right, positive, stratum.astype(np.int64))


def score(fold: InnerFold, similarity: NDArray[np.float32]) -> InnerScore:
    """Both AUC of one fold's pairs."""
    matched = matched_auc(similarity, fold.positive, fold.stratum).value
    return matched, auc(similarity, fold.positive)


def best(data: BaselineInput, scores: Sequence[Sequence[InnerScore]]) -> tuple[int, float, str]:
    """Number of the best setting, its mean score over folds and the name of that score; ties: the first.

    `scores[setting][fold]`. By matched-label AUC where any fold defines it (unless the study asks for AUC over all
    pairs), else by AUC.
    """
    table = np.array(scores, dtype=np.float64)  # (settings, folds, 2)
    which = 1 if data.metric == "auc" or np.isnan(table[:, :, 0]).all() else 0
    defined = ~np.isnan(table[:, :, which])
    mean = np.where(defined, table[:, :, which], 0.0).sum(axis=1) / np.maximum(defined.sum(axis=1), 1)
    number = int(np.argmax(mean))
    return number, float(mean[number]), ("matched-label AUC", "AUC")[which]


def chosen_line(settings: str, tried: int, value: float, name: str) -> str:
    """What the table says of a choice."""
    return f"{settings} (of {tried} settings; inner {name} {value:.3f})"
