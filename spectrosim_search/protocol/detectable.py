"""What a design can detect, before anything is trained."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["auc_standard_deviation", "detectable_difference", "interval_half_width"]

TYPICAL_AUC = 0.75
POSITIVES_A_GROUP = 3
Z_INTERVAL = 1.959964  # two-sided 95 % interval
Z_POWER = 1.644854  # the interval excludes 0 in 95 of 100 such studies


def auc_standard_deviation(group_sizes: ArrayLike, negatives: int, auc: float = TYPICAL_AUC) -> float:
    """Standard deviation of an AUC by Hanley & McNeil (1982, Radiology 143:29, eqs. 1-2).

    group_sizes: spectra of each judged group. A group of m spectra counts as min(m (m - 1) / 2, 3) positives: pairs
    of one group share spectra and a batch, so more of them do not replace more groups. NaN without positives or
    negatives.
    """
    sizes = np.asarray(group_sizes, dtype=np.int64)
    positives = int(np.minimum(sizes * (sizes - 1) // 2, POSITIVES_A_GROUP).sum())
    if positives < 1 or negatives < 1:
        return float("nan")
    q1, q2 = auc / (2.0 - auc), 2.0 * auc**2 / (1.0 + auc)
    spread = auc * (1.0 - auc) + (positives - 1) * (q1 - auc**2) + (negatives - 1) * (q2 - auc**2)
    return math.sqrt(spread / (positives * negatives))


def detectable_difference(group_sizes: ArrayLike, negatives: int) -> float:
    """Smallest true difference of two methods' AUC that these groups will most likely show.

    Assumes an AUC near .75 and two methods whose AUCs correlate at .5 over the groups, so that their difference has
    the standard deviation of one of them (Hanley & McNeil 1983); the difference is (1.96 + 1.645) of these: the 95 %
    interval then excludes 0 in 95 of 100 studies. Six groups of 3: .25; twenty-four: .12.
    """
    return (Z_INTERVAL + Z_POWER) * auc_standard_deviation(group_sizes, negatives)


def interval_half_width(group_sizes: ArrayLike, negatives: int, auc: float = TYPICAL_AUC) -> float:
    """Half the width of the 95 % interval of one AUC that these groups let expect.

    The interval is made on the logit scale, with t on G - 1 degrees of freedom, G the groups of two or more spectra;
    that of a result has fewer where groups meet in small parts. NaN below two such groups or without negatives. Six
    groups of 3: .17; twenty-four: .07.
    """
    from scipy.special import stdtrit  # here, for `status` and `--help` must not wait for scipy

    scored = int((np.asarray(group_sizes, dtype=np.int64) >= 2).sum())
    if scored < 2:
        return float("nan")
    error = auc_standard_deviation(group_sizes, negatives, auc)
    reach = float(stdtrit(scored - 1, 0.975)) * error / (auc * (1.0 - auc))
    centre = math.log(auc / (1.0 - auc))
    low, high = (1.0 / (1.0 + math.exp(-x)) for x in (centre - reach, centre + reach))
    return (high - low) / 2.0
