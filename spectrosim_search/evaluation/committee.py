"""Committees: the mean of several models' similarities, and what choosing the best few of many does to their score.

The committee of a search are its N best trials. They were chosen on the groups they are judged on, so their score is
corrected as the best trial's is (:mod:`~spectrosim_search.evaluation.bootstrap`): groups are drawn with replacement,
the N trials that are best on the drawn groups are averaged and scored on the groups that were not drawn. No model is
trained again. With s_r the set chosen in resample r

    estimate = mean_r ( full[s_r] + out[s_r, r] - usual[s_r] )

where ``usual[s]`` is the out-of-bag score of the set s whatever the resample. A set is chosen once or twice in all
resamples, so ``usual`` would cost as much again for each of them: it is the mean over the members' own out-of-bag
scores (known from all resamples) and the mean lead of the set over its members in a few resamples. That lead hardly
depends on the resample, so a few tell it well (a control variate).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.methods import Method, mean_defined, values_under
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.verification import choose_threshold

__all__ = ["SMALLEST", "CommitteeBias", "average", "committee_bbc"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
SMALLEST = 3  # members; of two models one would rather take the better
LEADS = 25  # resamples in which a set's lead over its members is measured


@dataclass(frozen=True)
class CommitteeBias:
    """Score of "the N best of these, averaged", corrected for having been chosen.

    members: the N best on the full sample, best first, and `full` their averaged score. estimate: expected score of
    such a selection on new groups. optimism: ``full - estimate``, at least 0. repeats: resamples that could be used.
    All NaN or empty where fewer than `SMALLEST` trials have a defined score.
    """

    members: tuple[str, ...]
    full: float
    estimate: float
    optimism: float
    repeats: int


def average(members: Sequence[Sequence[PairScores]]) -> tuple[PairScores, ...]:
    """One cell of a committee: the mean similarity of its members over the very same pairs.

    members: each member's parts of the cell. Of two halves each gets the threshold that the other half's mean
    similarities choose; one part alone (held-out pairs) has none. The mean is taken in double precision and in the
    order given. Raises ValueError where the members did not score the same pairs.
    """
    first = members[0]
    _assert_same(members)
    means = [_mean([m[i] for m in members]) for i in range(len(first))]
    thresholds = [float("nan")] * len(first)
    if len(first) == 2:
        thresholds = [choose_threshold(s, p.positive) for s, p in zip(means, first, strict=True)][::-1]
    return tuple(replace(p, similarity=s, threshold=t) for p, s, t in zip(first, means, thresholds, strict=True))


def _mean(parts: Sequence[PairScores]) -> NDArray[np.float32]:
    total = np.zeros(len(parts[0].similarity))
    for part in parts:
        total += part.similarity
    return (total / len(parts)).astype(np.float32)


def _assert_same(members: Sequence[Sequence[PairScores]]) -> None:
    """The design lays the pairs out; every member must have been scored on exactly these."""
    first = members[0]
    for other in members[1:]:
        same = len(other) == len(first) and all(
            np.array_equal(a.left, b.left)
            and np.array_equal(a.right, b.right)
            and np.array_equal(a.positive, b.positive)
            for a, b in zip(first, other, strict=True)
        )
        if not same:
            raise ValueError("members of a committee were not scored on the same pairs")


def committee_bbc(
    trials: Mapping[str, Method], size: int, groups: IntArray, metric: str, repeats: int = 500, seed: int = 0
) -> CommitteeBias:
    """Correct the score of the `size` best among `trials`, averaged, for their selection.

    trials: name → cells of parts, of distinct configurations, all over the same cells and pairs. groups: ``(N,)``
    codes of what is independent. A set of trials that several resamples choose is scored once. Raises ValueError
    where the trials differ in cells or pairs.
    """
    nan = float("nan")
    names = list(trials)
    if len(names) < SMALLEST:
        return CommitteeBias((), nan, nan, nan, 0)
    for cells in zip(*trials.values(), strict=True):
        _assert_same(cells)
    blocks = Blocks.of(trials.values(), groups)
    rng = np.random.default_rng([seed, 607])
    drawn = rng.multinomial(blocks.count, np.full(blocks.count, 1.0 / blocks.count), size=repeats).astype(np.float64)
    absent = (drawn == 0).astype(np.float64)
    weights = np.concatenate([np.ones((1, blocks.count)), drawn, absent])
    table = values_under([trials[name] for name in names], blocks, weights, metric)
    full, inside, outside = table[:, 0], table[:, 1 : 1 + repeats], table[:, 1 + repeats :]
    inside = np.where(np.isnan(full)[:, None], np.nan, inside)
    best = _chosen(full, size)
    if len(best) < SMALLEST:
        return CommitteeBias((), nan, nan, nan, 0)
    sets: dict[tuple[int, ...], list[int]] = {tuple(sorted(best)): []}
    for r in range(repeats):
        if len(found := _chosen(inside[:, r], size)) >= SMALLEST:
            sets.setdefault(tuple(sorted(found)), []).append(r)
    averaged = _Averaged([trials[name] for name in names], blocks, metric)
    terms: list[float] = []
    full_score = nan
    for members, resamples in sets.items():
        looked = min(repeats, LEADS if len(resamples) <= LEADS else repeats)  # often chosen: no need to be sparing
        rows = np.concatenate([np.ones((1, blocks.count)), absent[:looked], absent[resamples]])
        values = averaged.under(members, rows)
        if members == tuple(sorted(best)):
            full_score = float(values[0])
        own = mean_defined(outside[list(members)])
        lead = mean_defined(values[1 : 1 + looked] - own[:looked])
        usual = float(mean_defined(own) + lead)
        terms += [float(values[0]) + float(out) - usual for out in values[1 + looked :]]
    usable = [t for t in terms if t == t]
    chosen = tuple(names[i] for i in best)
    if not usable:
        return CommitteeBias(chosen, full_score, nan, nan, 0)
    optimism = max(0.0, full_score - float(np.mean(usable)))
    return CommitteeBias(chosen, full_score, full_score - optimism, optimism, len(usable))


def _chosen(scores: FloatArray, size: int) -> list[int]:
    """The `size` best with a defined score, best first, earlier trials before later ones of the same score."""
    order = np.argsort(np.where(np.isnan(scores), np.inf, -scores), kind="stable")
    return [int(i) for i in order if not np.isnan(scores[i])][:size]


class _Averaged:
    """Mean similarities of any set of trials, scored under weightings of the groups."""

    def __init__(self, trials: Sequence[Method], blocks: Blocks, metric: str) -> None:
        self.blocks, self.metric = blocks, metric
        self.cells = [
            [(part, np.array([t[c][p].similarity for t in trials])) for p, part in enumerate(cell)]
            for c, cell in enumerate(trials[0])
        ]

    def under(self, members: tuple[int, ...], weights: FloatArray) -> FloatArray:
        """Score of the members' mean under each row of `weights` ``(R, blocks)``."""
        chosen = list(members)
        method = []
        for cell in self.cells:
            means = [table[chosen].mean(axis=0, dtype=np.float64) for _, table in cell]
            parts = [replace(part, similarity=mean.astype(np.float32)) for (part, _), mean in zip(cell, means)]
            if len(parts) == 2 and self.metric in ("balanced_accuracy", "mcc"):
                one, two = (choose_threshold(part.similarity, part.positive) for part in parts)
                parts = [replace(parts[0], threshold=two), replace(parts[1], threshold=one)]
            method.append(parts)
        values: FloatArray = values_under([method], self.blocks, weights, self.metric)[0]
        return values
