"""Intervals and tests over groups (DESIGN §5).

The unit of replication is the group: seeds, folds and halves are averaged first, then the delete-one-group jackknife
(Tukey 1958; Miller 1974, Biometrika 61:1), freed of what it counts too often
(:mod:`~spectrosim_search.evaluation.spread`), gives the standard error, with Student's t on as many degrees of freedom
as the layout of the parts leaves: nearly G - 1 where groups meet in large parts, fewer where they meet in small ones.
Models stay as they were trained: the interval speaks of new groups met by these models, not of new trainings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.blocks import Blocks
from spectrosim_search.evaluation.bootstrap import BbcResult, bbc
from spectrosim_search.evaluation.methods import Method
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.evaluation.spread import LeftOut, leave_out, spread
from spectrosim_search.protocol.detectable import detectable_difference

__all__ = [
    "BbcResult",
    "Difference",
    "bbc",
    "detectable_difference",
    "difference_of",
    "holm",
    "interval_of",
    "jackknife",
    "paired_difference",
]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

LEVEL = 0.975
ROUNDING = 1e-12  # a standard error below this is none
TOO_FEW = "fewer than two groups: no interval"
ONE_PART = "without any of its groups nothing is left to score: no interval"


def _quantile(degrees: float, level: float) -> float:
    from scipy.special import stdtrit

    return float(stdtrit(degrees, level))


def _upper_tail(degrees: float, t: float) -> float:
    from scipy.special import stdtr

    return float(stdtr(degrees, -t))


def _over(blocks: Blocks, left: LeftOut, right: LeftOut | None = None) -> tuple[float, float]:
    """Standard error and degrees of freedom of one score or of a difference; the latter between 1 and G - 1."""
    change, mixed, layouts = left.change, left.mixed, [left.layout]
    if right is not None:
        change, mixed = change - right.change, mixed - right.mixed
        layouts.append(right.layout)
    found = spread(change, mixed, layouts)
    degrees = found.degrees if math.isnan(found.degrees) else max(1.0, min(found.degrees, blocks.scored - 1.0))
    return found.error, degrees


def jackknife(method: Method, groups: IntArray, metric: str) -> Estimate:
    """Score of a method with its 95 % interval over groups.

    method: cells of parts. groups: ``(N,)`` codes of what is independent (`Design.units`), -1 for spectra left out.
    metric: one of `verification.METRICS`. The interval is made on the logit scale, so that it stays in (0, 1); for
    `mcc` on the raw scale. Where every pair is placed rightly (or wrongly) the jackknife sees no spread: the bound is
    then the exact one for the share of faultless groups, .025^(1/G).

    docs/statistics.md has the standard error beside the true spread, and how often the intervals held the truth.
    """
    blocks = Blocks.of([method], groups, metric)
    left = leave_out(method, blocks, metric)
    value = left.value
    if math.isnan(value):
        return Estimate(value, note=_why_undefined(method, metric))
    error, degrees = _over(blocks, left)
    if blocks.scored < 2:
        return Estimate(value, standard_error=error, note=TOO_FEW)
    if metric != "mcc" and value in (0.0, 1.0):
        bound = (1.0 - LEVEL) ** (1.0 / blocks.scored)
        low, high = (bound, 1.0) if value == 1.0 else (0.0, 1.0 - bound)
        return Estimate(value, low, high, error, "no spread over groups: exact bound")
    if math.isnan(error):
        return Estimate(value, note=ONE_PART)
    if error < ROUNDING and blocks.scored < blocks.count:
        return Estimate(value, standard_error=error, note="no spread over the groups that can be matched: no interval")
    reach = _quantile(degrees, LEVEL) * error
    if metric == "mcc":
        return Estimate(value, max(-1.0, value - reach), min(1.0, value + reach), error)
    return _logit_interval(value, reach, error)


def interval_of(value: float, without: FloatArray) -> Estimate:
    """A share with its 95 % interval on the logit scale, from its values without each unit ``(U,)``.

    The plain jackknife, for scores to which each unit adds on its own. A share of 0 or 1 has the exact bound for the
    share of faultless units, .025^(1/U).
    """
    if math.isnan(value):
        return Estimate(value, note="undefined")
    error, units = _plain_error(without), len(without)
    if math.isnan(error):
        return Estimate(value, standard_error=error, note=TOO_FEW)
    if value in (0.0, 1.0):
        bound = (1.0 - LEVEL) ** (1.0 / units)
        low, high = (bound, 1.0) if value == 1.0 else (0.0, 1.0 - bound)
        return Estimate(value, low, high, error, "no spread over groups: exact bound")
    return _logit_interval(value, _quantile(units - 1, LEVEL) * error, error)


def difference_of(value: float, without: FloatArray) -> Difference:
    """A difference with its 95 % interval on the raw scale, as :func:`interval_of`."""
    error, units = _plain_error(without), len(without)
    degrees = units - 1.0
    if math.isnan(value):
        return Difference(Estimate(value, note="undefined"), float("nan"), degrees, units)
    if math.isnan(error):
        return Difference(Estimate(value, note=TOO_FEW), float("nan"), degrees, units)
    if error < ROUNDING < abs(value):
        return Difference(Estimate(value, note="no spread over groups: no interval"), float("nan"), degrees, units)
    reach = _quantile(degrees, LEVEL) * error
    p = _one_sided(value, error, degrees)
    return Difference(Estimate(value, value - reach, value + reach, error), p, degrees, units)


def _plain_error(without: FloatArray) -> float:
    """Jackknife standard error of the values without each unit; NaN below two."""
    defined = without[~np.isnan(without)]
    n = len(defined)
    return math.sqrt((n - 1) / n * float(((defined - defined.mean()) ** 2).sum())) if n > 1 else float("nan")


def _logit_interval(value: float, reach: float, error: float) -> Estimate:
    centre, half = math.log(value / (1.0 - value)), reach / (value * (1.0 - value))
    return Estimate(value, _expit(centre - half), _expit(centre + half), error)


def _expit(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x)) if x >= 0 else math.exp(x) / (1.0 + math.exp(x))


def _why_undefined(method: Method, metric: str) -> str:
    parts = [p for cell in method for p in cell]
    if not any(p.positive.any() and not p.positive.all() for p in parts):
        return "no part holds both a same and a different pair"
    if any(np.isnan(p.similarity).any() for p in parts):
        return "a similarity is not a number"
    if metric == "matched_auc":
        return "no label pair holds both a same and a different pair"
    return "no threshold could be chosen on other pairs"


@dataclass(frozen=True)
class Difference:
    """Difference of two methods over the same groups; `p` is one-sided: how often chance alone gives as much or
    more. degrees: of freedom of Student's t, between 1 and groups - 1; groups: those that the score can use."""

    estimate: Estimate
    p: float
    degrees: float
    groups: int

    def shifted(self, by: float) -> Difference:
        """The same spread around another centre: takes off (or adds) what a selection is known to have done."""
        e = self.estimate
        moved = Estimate(e.value + by, e.low + by, e.high + by, e.standard_error, e.note)
        return replace(self, estimate=moved, p=_one_sided(moved.value, e.standard_error, self.degrees))


def _one_sided(value: float, error: float, degrees: float) -> float:
    if math.isnan(value) or math.isnan(error):
        return float("nan")
    if error == 0:
        return 0.0 if value > 0 else 1.0
    return _upper_tail(degrees, value / error)


def paired_difference(
    a: Method, b: Method, groups: IntArray, metric: str, *, known: dict[bytes, LeftOut] | None = None
) -> Difference:
    """Score of `a` minus score of `b` with its 95 % interval on the raw scale, paired by deleting the same groups.

    The methods may differ in their number of seeds; each is averaged over its own first. known: what was found of `a`
    under this metric, for whoever compares it with many others; empty at first, and filled here.
    """
    blocks = Blocks.of([a, b], groups, metric)
    left = None if known is None else known.get(blocks.digest)
    if left is None:
        left = leave_out(a, blocks, metric)
        if known is not None:
            known[blocks.digest] = left
    right = leave_out(b, blocks, metric)
    value = left.value - right.value
    error, degrees = _over(blocks, left, right)
    unknown = Difference(Estimate(value), float("nan"), degrees, blocks.scored)
    if math.isnan(value):
        return _noted(unknown, _why_undefined(a if math.isnan(left.value) else b, metric))
    if math.isnan(error) or blocks.scored < 2:
        return _noted(unknown, TOO_FEW if blocks.scored < 2 else ONE_PART)
    if error < ROUNDING < abs(value):
        # Where hardly a group can be left out the jackknife sees no spread; that is ignorance and no certainty.
        return _noted(unknown, "no spread over groups: no interval")
    reach = _quantile(degrees, LEVEL) * error
    estimate = Estimate(value, value - reach, value + reach, error)
    return Difference(estimate, _one_sided(value, error, degrees), degrees, blocks.scored)


def _noted(difference: Difference, note: str) -> Difference:
    return replace(difference, estimate=replace(difference.estimate, note=note))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p-values (1979, Scand. J. Stat. 6:65), in the given order; NaN stays NaN, untested."""
    tested = [i for i, value in enumerate(p) if not math.isnan(value)]
    out = [float("nan")] * len(p)
    highest = 0.0
    for rank, i in enumerate(sorted(tested, key=lambda j: p[j])):
        highest = max(highest, min(1.0, (len(tested) - rank) * p[i]))
        out[i] = highest
    return out
