"""From similarities to decisions: threshold, expected error rates and calibration, all from out-of-fold pairs.

Neither spectrum of an out-of-fold pair was seen by the model that scored it, and neither was any spectrum of their
groups. The exported threshold is chosen on all such pairs; the error rates stated for it are those of the same
procedure judged elsewhere: a fold's pairs meet the threshold chosen on the other folds' pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.errors import DataError
from spectrosim_search.evaluation import calibration, verification
from spectrosim_search.evaluation.scores import Estimate

__all__ = ["BoundedCalibration", "Decision", "OutOfFold", "decide", "estimate_from_dict", "estimate_to_dict"]

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_PAIRS = 2_000_000  # pairs that threshold and calibration are chosen on; beyond it a seeded share of them
_PAIRS_FOR_INTERVALS = 200_000  # and those that error rates and intervals are computed on
_BLOCKS = 40  # groups are deleted in at most this many blocks


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Scored pairs of one fold and seed; arrays ``(P,)``, `left` and `right` are rows of the spectra."""

    fold: int
    seed: int
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    positive: BoolArray
    stratum: NDArray[np.int64]
    similarity: NDArray[np.float32]


@dataclass(frozen=True)
class BoundedCalibration:
    """Natural-log likelihood ratio = slope × similarity + intercept, kept within `lowest` and `highest`.

    A class-balanced logistic regression, so that the fitted log odds are the log likelihood ratio. The limits keep a
    straight line from promising more than was observed: k units without an exception support a ratio of about k + 1 to
    one. For "same" the units are pairs of different groups, for "different" they are groups.
    """

    slope: float
    intercept: float
    lowest: float
    highest: float

    def log_likelihood_ratio(self, similarity: FloatArray | NDArray[np.float32]) -> FloatArray:
        """Evidence for "same" of similarities of any shape, natural logarithm."""
        raw = self.slope * similarity.astype(np.float64) + self.intercept
        return np.clip(raw, self.lowest, self.highest)


@dataclass(frozen=True)
class Decision:
    """How similarities are judged, and how often that is expected to be wrong on groups never seen.

    `false_same`: share of different-group pairs called the same. `false_different`: share of same-group pairs called
    different. `cllr`: cost in bits of the log likelihood ratios of a fold under the calibration of the other folds (0
    perfect, 1 no information); `min_cllr`: what the best calibration of these very pairs would cost. Intervals are 95
    %, delete-one-group jackknife (see :func:`decide`). The scores are out-of-fold; where the configuration was chosen
    on the same spectra they are somewhat too good, and the study's corrected score is the one to quote.
    """

    threshold: float
    false_same: Estimate
    false_different: Estimate
    balanced_accuracy: Estimate
    auc: Estimate
    matched_auc: Estimate
    cllr: float
    min_cllr: float
    calibration: BoundedCalibration
    groups: int  # groups that occur in out-of-fold pairs
    same_pairs: int  # distinct pairs, each counted once however many seeds scored it
    different_pairs: int
    folds: int
    seeds: int

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form; undefined values are null."""
        out: dict[str, Any] = {}
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if isinstance(value, Estimate):
                out[name] = estimate_to_dict(value)
            else:
                out[name] = asdict(value) if isinstance(value, BoundedCalibration) else value
        return out

    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any]) -> Decision:
        """Read the JSON form; raises KeyError or TypeError where it is not one."""
        values: dict[str, Any] = {name: mapping[name] for name in cls.__dataclass_fields__}
        for name in ("false_same", "false_different", "balanced_accuracy", "auc", "matched_auc"):
            values[name] = estimate_from_dict(values[name])
        values["calibration"] = BoundedCalibration(**{k: float(v) for k, v in values["calibration"].items()})
        for name in ("threshold", "cllr", "min_cllr"):
            values[name] = float(values[name])
        return cls(**values)


def estimate_to_dict(estimate: Estimate) -> dict[str, float | str | None]:
    """JSON form of an estimate: NaN becomes null."""
    values = asdict(estimate)
    return {k: (None if isinstance(v, float) and not math.isfinite(v) else v) for k, v in values.items()}


def estimate_from_dict(mapping: Mapping[str, Any]) -> Estimate:
    """Read the JSON form of an estimate."""
    names = ("value", "low", "high", "standard_error")
    values = {name: float("nan") if mapping[name] is None else float(mapping[name]) for name in names}
    return Estimate(values["value"], values["low"], values["high"], values["standard_error"], str(mapping["note"]))


def decide(parts: Sequence[OutOfFold], units: NDArray[np.int64], *, seed: int = 0) -> Decision:
    """Choose threshold and calibration on out-of-fold pairs and estimate what they will do to new groups.

    `units` ``(N,)``: codes of what is resampled: groups, or the coarser units that a split column keeps together. Each
    fold's pairs are judged by the threshold chosen on the other folds', so two folds at least are needed. The
    intervals delete units in at most 40 blocks, choose the thresholds anew each time, and use Student's t with blocks
    - 1 degrees of freedom. A rate of exactly 0 (or 1) gets the exact binomial limit over units instead, since its
    jackknife has no spread. Above 200,000 pairs the intervals use a seeded share of them.

    Simulated (benchmarks/validity.py): the intervals cover the exported model's true rates in 95 to 100 %
    of cases with 8 to 60 groups of three.

    Raises DataError where fewer than two folds hold both same- and different-group pairs.
    """
    both = [p for p in parts if p.positive.any() and not p.positive.all()]
    if len({p.fold for p in both}) < 2:
        raise DataError(
            "fewer than two folds hold both same- and different-group pairs: no threshold can be chosen and judged; "
            "more groups with two or more spectra are needed"
        )
    left, right, same = _distinct(both, len(units))
    between = np.unique(_keys(units[left[~same]], units[right[~same]], int(units.max()) + 1))
    choosing = _share(both, _PAIRS, seed)
    similarity, positive = _pool(choosing, "similarity"), _pool(choosing, "positive")
    line = calibration.calibrate(similarity, positive)
    share = _share(choosing, _PAIRS_FOR_INTERVALS, seed)
    cost, floor = _calibration_cost(share)
    return Decision(
        threshold=float(verification.choose_threshold(similarity, positive)),
        **_intervals(share, units),
        cllr=cost,
        min_cllr=floor,
        calibration=BoundedCalibration(
            slope=line.slope,
            intercept=line.intercept,
            lowest=-math.log(len(np.unique(units[left[same]])) + 1),
            highest=math.log(len(between) + 1),
        ),
        groups=len(np.unique(units[np.concatenate([left, right])])),
        same_pairs=int(same.sum()),
        different_pairs=int((~same).sum()),
        folds=len({p.fold for p in both}),
        seeds=len({p.seed for p in both}),
    )


def _pool(parts: Sequence[OutOfFold], name: str) -> Any:
    return np.concatenate([getattr(p, name) for p in parts])


def _keys(a: NDArray[np.int64], b: NDArray[np.int64], n: int) -> NDArray[np.int64]:
    """One number for each unordered pair of numbers below `n`."""
    return np.minimum(a, b) * n + np.maximum(a, b)


def _distinct(parts: Sequence[OutOfFold], n: int) -> tuple[NDArray[np.int64], NDArray[np.int64], BoolArray]:
    """Rows of each pair of rows, once however often it was scored, and whether it is of one group."""
    keys = _keys(_pool(parts, "left"), _pool(parts, "right"), n)
    keys, first = np.unique(keys, return_index=True)
    return keys // n, keys % n, _pool(parts, "positive")[first]


def _share(parts: Sequence[OutOfFold], most: int, seed: int) -> list[OutOfFold]:
    """At most about `most` pairs: up to half of them of one group, the others drawn by `seed`; all where they fit."""
    total = sum(len(p.positive) for p in parts)
    if total <= most:
        return list(parts)
    rng = np.random.default_rng(seed)
    kept = []
    for part in parts:
        allowed = max(2, most * len(part.positive) // total)
        order = np.lexsort((rng.random(len(part.positive)), ~part.positive))
        positives = min(int(part.positive.sum()), allowed // 2)
        negatives = order[int(part.positive.sum()) :][: allowed - positives]
        rows = np.sort(np.concatenate([order[:positives], negatives]))
        fields = {name: getattr(part, name)[rows] for name in ("left", "right", "positive", "stratum", "similarity")}
        kept.append(OutOfFold(part.fold, part.seed, **fields))
    return kept


def _calibration_cost(parts: Sequence[OutOfFold]) -> tuple[float, float]:
    """Cllr of each fold under the others' calibration, and its minimum, pooled."""
    ratios, truth, raw = [], [], []
    for fold in sorted({p.fold for p in parts}):
        inside, outside = [p for p in parts if p.fold == fold], [p for p in parts if p.fold != fold]
        line = calibration.calibrate(_pool(outside, "similarity"), _pool(outside, "positive"))
        similarity = _pool(inside, "similarity")
        ratios.append(calibration.log_likelihood_ratio(similarity, line))
        truth.append(_pool(inside, "positive"))
        raw.append(similarity)
    positive = np.concatenate(truth)
    return calibration.cllr(np.concatenate(ratios), positive), calibration.min_cllr(np.concatenate(raw), positive)


def _intervals(parts: Sequence[OutOfFold], units: NDArray[np.int64]) -> dict[str, Estimate]:
    """Delete-one-block jackknife of every number a reader is told."""
    left, right = units[_pool(parts, "left")], units[_pool(parts, "right")]
    present = np.unique(np.concatenate([left, right]))
    blocks = np.array_split(present, min(_BLOCKS, len(present)))
    full = _numbers(parts, [np.ones(len(p.positive), bool) for p in parts])
    deleted = []
    for block in blocks:
        keep = [~(np.isin(units[p.left], block) | np.isin(units[p.right], block)) for p in parts]
        deleted.append(_numbers(parts, keep))
    return {
        name: _jackknife(value, np.array([d[name] for d in deleted]), len(present), rate=name.startswith("false"))
        for name, value in full.items()
    }


def _numbers(parts: Sequence[OutOfFold], keep: Sequence[BoolArray]) -> dict[str, float]:
    """Error rates under thresholds chosen on the other folds, and scores, over the pairs kept; NaN where undefined."""
    wrong_same = wrong_different = same = different = 0
    for fold in sorted({p.fold for p in parts}):
        choosing = [(p, k) for p, k in zip(parts, keep) if p.fold != fold]
        threshold = float(
            verification.choose_threshold(
                np.concatenate([p.similarity[k] for p, k in choosing]),
                np.concatenate([p.positive[k] for p, k in choosing]),
            )
        )
        if not math.isfinite(threshold):
            continue
        for part, kept in zip(parts, keep):
            if part.fold != fold:
                continue
            called, truth = part.similarity[kept] >= threshold, part.positive[kept]
            wrong_same += int((called & ~truth).sum())
            wrong_different += int((~called & truth).sum())
            same += int(truth.sum())
            different += int((~truth).sum())
    false_same = wrong_same / different if different else float("nan")
    false_different = wrong_different / same if same else float("nan")
    plain, matched = [], []
    for part, kept in zip(parts, keep):
        plain.append(float(verification.auc(part.similarity[kept], part.positive[kept])))
        matched.append(
            float(verification.matched_auc(part.similarity[kept], part.positive[kept], part.stratum[kept]).value)
        )
    return {
        "false_same": false_same,
        "false_different": false_different,
        "balanced_accuracy": 1 - (false_same + false_different) / 2,
        "auc": _mean(plain),
        "matched_auc": _mean(matched),
    }


def _mean(values: Sequence[float]) -> float:
    found = [v for v in values if math.isfinite(v)]
    return float(np.mean(found)) if found else float("nan")


def _jackknife(value: float, deleted: FloatArray, groups: int, *, rate: bool) -> Estimate:
    """Interval of one number from its values with each block deleted (Efron & Stein 1981), cut to 0..1."""
    from scipy.stats import t as student

    if not math.isfinite(value):
        return Estimate(value, note="undefined: a kind of pair is missing")
    deleted = deleted[np.isfinite(deleted)]
    if len(deleted) < 2:
        return Estimate(value, note="too few groups for an interval")
    b = len(deleted)
    error = math.sqrt((b - 1) / b * float(((deleted - deleted.mean()) ** 2).sum()))
    reach = float(student.ppf(0.975, b - 1)) * error
    low, high = max(0.0, value - reach), min(1.0, value + reach)
    if rate and value == 0.0:
        high = max(high, 1 - 0.025 ** (1 / groups))
    if rate and value == 1.0:
        low = min(low, 0.025 ** (1 / groups))
    return Estimate(value, low, high, error)
