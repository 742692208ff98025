"""What a difference over groups makes one believe: probability of a lead that matters, and how large the lead is.

The Bayesian correlated t-test (Benavoli, Corani, Demšar & Zaffalon 2017, JMLR 18:77) widens the spread over
cross-validation folds by Nadeau & Bengio's (2003) guess of how far folds that share training data move together. Here
folds and seeds are averaged first and the spread comes from deleting groups, which share nothing: there is no
correlation to guess. With the prior that is flat in the difference and in the logarithm of its spread the posterior
is Student's t around the (corrected) difference with its standard error and degrees of freedom, so that
P(difference <= 0) equals the one-sided p.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.evaluation.statistics import Difference

__all__ = ["MARGIN", "Posterior", "effect_size", "posterior"]

MARGIN = 0.01  # a lead of less is nothing to change a method for; the margin of *not worse*


@dataclass(frozen=True)
class Posterior:
    """Probabilities that a difference is above `margin`, within it on either side, and below ``-margin``."""

    margin: float
    better: float
    alike: float
    worse: float


def posterior(difference: Difference, margin: float = MARGIN) -> Posterior | None:
    """Probabilities of a lead that matters; None where the difference has no standard error.

    Raises ValueError for a negative margin.
    """
    from scipy.special import stdtr

    if margin < 0:
        raise ValueError(f"margin {margin:g} is negative")
    value, error = difference.estimate.value, difference.estimate.standard_error
    if not (math.isfinite(value) and error > 0):
        return None
    better = float(stdtr(difference.degrees, (value - margin) / error))
    worse = float(stdtr(difference.degrees, (-margin - value) / error))
    return Posterior(margin, better, max(0.0, 1.0 - better - worse), worse)


def effect_size(difference: Difference) -> Estimate | None:
    """The difference in standard deviations of the groups' pseudo-values, with its 95 % interval.

    ``d = difference / (standard error * sqrt(G))``: it does not grow with the number of groups, so it can be set beside
    other data; about ``(2.8 / d)^2`` groups would show it four times in five. The interval inverts the noncentral t
    (Hedges & Olkin 1985, ch. 5). None where the difference has no standard error.
    """
    from scipy.special import nctdtrinc

    value, error = difference.estimate.value, difference.estimate.standard_error
    if not (math.isfinite(value) and error > 0):
        return None
    root = math.sqrt(difference.groups)
    low, high = (float(nctdtrinc(difference.degrees, p, abs(value) / error)) / root for p in (0.975, 0.025))
    if value < 0:
        low, high = -high, -low
    return Estimate(value / error / root, low, high)
