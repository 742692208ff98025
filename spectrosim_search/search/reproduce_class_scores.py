"""From what rows of a table named to scores, intervals and differences."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.evaluation.class_statistics import CLASS_METRICS, class_difference, class_jackknife, class_score
from spectrosim_search.evaluation.mixture_statistics import mixture_estimates
from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.search.published._class_table import ClassRow, Contrast, Kind
from spectrosim_search.search.reproduce_class_runs import Column, Named

__all__ = ["ColumnScore", "ReproducedClassRow", "ReproducedContrast", "column_score", "contrast_score"]

_LEAKS = "spectra alike stand on both sides: no interval"


@dataclass(frozen=True)
class ColumnScore:
    """One row in one column.

    metrics: accuracy, macro F1 and ``mixture_k_all_right``, with an interval over units (mixtures: classes) where
    nothing leaks, and what the runs told beside (means over folds and seeds). sd: over seeds. seeds: those that ended.
    """

    metrics: Mapping[str, Estimate]
    sd: Mapping[str, float]
    seeds: int
    leaks: bool
    note: str = ""


@dataclass(frozen=True)
class ReproducedClassRow:
    """One row with what was printed; `scores` by column, none of a row that is printed only."""

    row: ClassRow
    kind: Kind
    scores: Mapping[Column, ColumnScore]


@dataclass(frozen=True)
class ReproducedContrast:
    """A difference of two rows in the table's first metric. printed: in points, by the heading of its column."""

    contrast: Contrast
    printed: Mapping[str, float]
    differences: Mapping[Column, Estimate]


def column_score(named: Named, units: NDArray[np.int64], *, leaks: bool) -> ColumnScore:
    """Scores of one row in one column; `units` ``(N,)`` as in `ClassDesign`."""
    metrics: dict[str, Estimate] = {}
    sd: dict[str, float] = {}
    for metric in CLASS_METRICS:
        sd[metric] = _spread([class_score([seed], metric) for seed in named.seeds])
        if not named.seeds:
            metrics[metric] = Estimate(float("nan"), note=named.failed)
        elif leaks:
            metrics[metric] = Estimate(class_score(named.seeds, metric), note=_LEAKS)
        else:
            metrics[metric] = class_jackknife(named.seeds, units, metric)
    for key in dict.fromkeys(k for told in named.told for k in told if k not in CLASS_METRICS):
        values = [told[key] for told in named.told if key in told]
        metrics[key] = Estimate(statistics.fmean(values), note="mean over runs: no interval")
        sd[key] = _spread(values)
    for m in mixture_estimates(named.mixtures):
        key = f"mixture_{m.components}_all_right"
        metrics[key] = Estimate(m.all_right.value, note=_LEAKS) if leaks else m.all_right
        sd[key] = float("nan")
    return ColumnScore(metrics, sd, len(named.seeds), leaks, f"a seed failed: {named.failed}" if named.failed else "")


def _spread(values: Sequence[float]) -> float:
    return statistics.stdev(values) if len(values) > 1 else float("nan")


def contrast_score(
    contrast: Contrast,
    metric: str,
    rows: Mapping[str, ClassRow],
    found: Mapping[tuple[Column, str], Named],
    leaking: Mapping[Column, bool],
    units: NDArray[np.int64],
) -> ReproducedContrast:
    """The difference of two rows as printed and in every column, paired over units where nothing leaks."""
    one, two = rows[contrast.row], rows[contrast.beside]
    printed = {
        p.where: p.figure.mean - other.mean
        for p in one.printed
        if p.metric == metric and (other := two.figure(metric, p.where)) is not None
    }
    differences: dict[Column, Estimate] = {}
    for column, leaks in leaking.items():
        a, b = found[column, one.name].seeds, found[column, two.name].seeds
        if not a or len(a) != len(b):
            differences[column] = Estimate(float("nan"), note="a seed of one of them failed")
        elif leaks:
            differences[column] = Estimate(class_score(a, metric) - class_score(b, metric), note=_LEAKS)
        else:
            differences[column] = class_difference(a, b, units, metric).estimate
    return ReproducedContrast(contrast, printed, differences)
