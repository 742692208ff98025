"""What a selection does to the score it selects by: BBC-CV over groups, for few groups too.

The best of many trials owes part of its score to luck with these groups. Tsamardinos, Greasidou & Borboudakis (2018,
Mach. Learn. 107:1895) bootstrap the selection alone: out-of-sample predictions of every trial are kept, groups are
drawn with replacement, the trial that is best on the drawn (in-bag) groups is scored on the groups that were not drawn.
No model is trained again. Here the groups, not the spectra, are drawn: pairs of one group stand or fall together.

The plain BBC score is ``mean_r out[s_r, r]`` with s_r the trial chosen in resample r (tied trials share a resample).
Out-of-bag scores of one trial scatter around its full score for reasons that have nothing to do with selection (small
parts become undefined more often than large ones). That part is known for every trial and is taken off:

    bootstrap = full[best] - mean_r ( full[s_r] + out[s_r, r] - mean_r' out[s_r, r'] )

This is nearly unbiased and, with few groups, noisy: parts of two to four groups seldom keep a pair on both sides. A
second estimate runs the same resamples over delete-one-group pseudo-values, whose means are always defined; the
jackknife's spread is too large with few groups, so it takes off too much. Neither may exceed the winner's lead over
the mean trial, for the best of exchangeable trials is at worst one of them:

    optimism = min( (bootstrap + linear) / 2, full[best] - mean_t full[t] ), at least 0

Where no resample leaves a pair on both sides nothing tells luck from worth, and the bound is taken.
`docs/statistics.md` has bias and error of each against a known truth. With a single trial the optimism is 0, as it
must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.methods import Method, mean_defined, values_under, values_without

__all__ = ["BbcResult", "Chosen", "bbc", "select_among"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

TIE = 1e-12  # scores closer than this differ by rounding only


@dataclass(frozen=True)
class BbcResult:
    """Score of "the best of these", corrected for having been chosen.

    best: trial with the highest full-sample score, which is `full`. estimate: expected score of the selection on new
    groups. optimism: ``full - estimate``, at least 0. selected: share of the resamples in which each trial was chosen.
    repeats: resamples that could be used. plain: the uncentred BBC score. bootstrap, linear, bound: what the optimism
    is made of (see above); NaN where undefined.
    """

    best: str
    full: float
    estimate: float
    optimism: float
    selected: Mapping[str, float]
    repeats: int
    plain: float
    bootstrap: float
    linear: float
    bound: float


def bbc(trials: Mapping[str, Method], groups: IntArray, metric: str, repeats: int = 500, seed: int = 0) -> BbcResult:
    """Correct the best score among `trials` for its selection.

    trials: name → cells of parts; all over the same cells, or scores are not comparable (a trial stopped early may
    be given: it competes with the cells it has). groups: ``(N,)`` codes of what is independent. A pair weighs the
    product of its groups' draws, a positive pair its group's; copies of one group are never paired with each other.

    All fields are NaN or empty where no trial has a defined score. Raises ValueError without trials.
    """
    if not trials:
        raise ValueError("no trials to select from")
    blocks = Blocks.of(trials.values(), groups)
    rng = np.random.default_rng([seed, 601])
    drawn = rng.multinomial(blocks.count, np.full(blocks.count, 1.0 / blocks.count), size=repeats).astype(np.float64)
    left = (drawn == 0).astype(np.float64)
    weights = np.concatenate([np.ones((1, blocks.count)), drawn, left])
    table = values_under(list(trials.values()), blocks, weights, metric)
    nan = float("nan")
    known = ~np.isnan(table[:, 0])
    if not known.any():
        return BbcResult("", nan, nan, nan, {}, 0, nan, nan, nan, nan)
    names = [name for name, defined in zip(trials, known, strict=True) if defined]
    table = table[known]
    full, inside, outside = table[:, 0], table[:, 1 : 1 + repeats], table[:, 1 + repeats :]
    best = int(full.argmax())
    top = float(full[best])
    bound = top - float(full.mean())
    chosen = select_among(full, inside, outside)
    without = values_without([trials[name] for name in names], blocks, metric)
    linear = select_among(full, *_linear(full, without, drawn, left)).optimism
    found = 0.5 * (chosen.optimism + linear) if chosen.repeats else bound
    optimism = max(0.0, min(found, bound))
    selected = {name: float(share) for name, share in zip(names, chosen.shares, strict=True) if share > 0}
    return BbcResult(
        names[best],
        top,
        top - optimism,
        optimism,
        selected,
        chosen.repeats,
        chosen.plain,
        chosen.optimism,
        linear,
        bound,
    )


@dataclass(frozen=True, eq=False)
class Chosen:
    """What choosing in-bag and scoring out-of-bag says; NaN without a usable resample."""

    optimism: float
    plain: float
    shares: FloatArray
    repeats: int


def select_among(full: FloatArray, inside: FloatArray, outside: FloatArray) -> Chosen:
    """Choose in-bag, score out-of-bag. full ``(T,)``; inside, outside ``(T, R)``.

    Tied trials share a resample: the first of them is no better.
    """
    values = np.where(np.isnan(inside), -np.inf, inside)
    tied = np.isfinite(values) & (values >= values.max(axis=0) - TIE)
    usable = tied.any(axis=0) & ~(tied & np.isnan(outside)).any(axis=0)
    if not usable.any():
        return Chosen(float("nan"), float("nan"), np.zeros(len(full)), 0)
    tied, outside = tied[:, usable], outside[:, usable]
    share = tied / tied.sum(axis=0)
    scored = (share * np.where(tied, outside, 0.0)).sum(axis=0)
    usual = np.where(tied.any(axis=1), mean_defined(outside, axis=1), full)
    estimate = float(((share * (full - usual)[:, None]).sum(axis=0) + scored).mean())
    return Chosen(float(full.max()) - estimate, float(scored.mean()), share.mean(axis=1), int(usable.sum()))


def _linear(
    full: FloatArray, without: FloatArray, drawn: FloatArray, left: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """In-bag and out-of-bag means ``(T, R)`` of the pseudo-values; a block without which nothing is defined adds 0."""
    groups = without.shape[1]
    influence = np.where(np.isnan(without), 0.0, full[:, None] - without)
    influence = (groups - 1) * (influence - influence.mean(axis=1, keepdims=True))
    count = left.sum(axis=1)
    means = np.where(count > 0, influence @ left.T / np.maximum(count, 1.0), np.nan)
    return full[:, None] + influence @ drawn.T / groups, full[:, None] + means
