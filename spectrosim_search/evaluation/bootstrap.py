"""What a selection does to the score it selects by: BBC-CV over groups.

The best of many trials owes part of its score to luck with these groups. Tsamardinos, Greasidou & Borboudakis (2018,
Mach. Learn. 107:1895) bootstrap the selection alone: out-of-sample predictions of every trial are kept, groups are
drawn with replacement, the trial that is best on the drawn (in-bag) groups is scored on the groups that were not drawn.
No model is trained again. Here the groups, not the spectra, are drawn: pairs of one group stand or fall together.

The plain BBC score is ``mean_r out[s_r, r]`` with s_r the trial chosen in resample r. Out-of-bag scores of one trial
scatter around its full score for reasons that have nothing to do with selection (small parts become undefined
more often than large ones). That part is known for every trial, ``mean_r out[t, r] - full[t]``, and is taken off:

    estimate = mean_r ( full[s_r] + out[s_r, r] - mean_r' out[s_r, r'] )

With a single trial the estimate is its score and the optimism 0, as it must be.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.methods import Blocks, Method, mean_defined, values_under

__all__ = ["BbcResult", "bbc"]

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class BbcResult:
    """Score of "the best of these", corrected for having been chosen.

    best: trial with the highest full-sample score, which is `full`. estimate: expected score of the selection on new
    groups. optimism: ``full - estimate``, at least 0. selected: how often each trial was chosen. repeats: resamples
    that could be used. plain: the uncentred BBC score.
    """

    best: str
    full: float
    estimate: float
    optimism: float
    selected: Mapping[str, int]
    repeats: int
    plain: float


def bbc(trials: Mapping[str, Method], groups: IntArray, metric: str, repeats: int = 500, seed: int = 0) -> BbcResult:
    """Correct the best score among `trials` for its selection.

    trials: name → cells of parts; all over the same cells, or scores are not comparable (a trial stopped early may
    be given: it competes with the cells it has). groups: ``(N,)`` codes of what is independent. A pair weighs the
    product of its groups' draws, a positive pair its group's; copies of one group are never paired with each other.

    All fields are NaN or empty where no trial has a defined score. Raises ValueError without trials.
    """
    if not trials:
        raise ValueError("no trials to select from")
    names = list(trials)
    blocks = Blocks.of(trials.values(), groups)
    rng = np.random.default_rng([seed, 601])
    drawn = rng.multinomial(blocks.count, np.full(blocks.count, 1.0 / blocks.count), size=repeats).astype(np.float64)
    weights = np.concatenate([np.ones((1, blocks.count)), drawn, (drawn == 0).astype(np.float64)])
    table = np.array([values_under(trials[name], blocks, weights, metric) for name in names])
    full, inside, outside = table[:, 0], table[:, 1 : 1 + repeats], table[:, 1 + repeats :]
    nan = float("nan")
    if np.isnan(full).all():
        return BbcResult("", nan, nan, nan, {}, 0, nan)
    best = int(np.nanargmax(full))
    inside = np.where(np.isnan(full)[:, None], np.nan, inside)
    usable = ~np.isnan(inside).all(axis=0)
    chosen = np.where(np.isnan(inside), -np.inf, inside).argmax(axis=0)
    scored = outside[chosen, np.arange(repeats)]
    usable &= ~np.isnan(scored)
    if not usable.any():
        return BbcResult(names[best], float(full[best]), nan, nan, {}, 0, nan)
    chosen, scored = chosen[usable], scored[usable]
    usual = mean_defined(outside[:, usable], axis=1)
    estimate = float((full[chosen] + scored - usual[chosen]).mean())
    optimism = max(0.0, float(full[best]) - estimate)
    counts = np.bincount(chosen, minlength=len(names))
    selected = {name: int(count) for name, count in zip(names, counts, strict=True) if count}
    top = float(full[best])
    return BbcResult(names[best], top, top - optimism, optimism, selected, len(chosen), float(scored.mean()))
