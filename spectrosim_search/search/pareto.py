"""Which trials nothing beats on every objective at once: the Pareto front. Pure functions.

Objectives are compared as they were searched for: the score of a finished trial over all cells, counted inference time,
parameters. Only COMPLETE trials can be on the front, since a pruned one has its score from fewer cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from spectrosim_search.search.objectives import OBJECTIVES
from spectrosim_search.search.records import StudyRecord, TrialRecord

__all__ = ["front", "further_finalists", "on_front", "pareto_trials"]


def front(points: Sequence[Sequence[float]], maximise: Sequence[bool]) -> tuple[int, ...]:
    """Places of the points that no other point dominates, in their order.

    points: ``n`` rows of ``k`` values; maximise: ``k`` flags. A point dominates another if it is at least as good in
    all values and better in one; equal points do not dominate each other, so ties all stay. Points with an undefined
    value are left out. Time grows as n log n + n × front.
    """
    values = np.asarray(points, dtype=np.float64).reshape(len(points), len(maximise))
    cost = np.where(np.asarray(maximise, dtype=bool), -values, values)
    usable = np.flatnonzero(~np.isnan(cost).any(axis=1))
    # in this order a point is dominated by earlier ones only
    order = usable[np.lexsort(cost[usable].T[::-1])] if usable.size else usable
    kept: list[int] = []
    for place in order:
        best = cost[kept]
        dominated = (best <= cost[place]).all(axis=1) & (best < cost[place]).any(axis=1)
        if not dominated.any():
            kept.append(int(place))
    return tuple(sorted(kept))


def on_front(rows: Sequence[Mapping[str, float]], names: Sequence[str]) -> tuple[int, ...]:
    """:func:`front` of rows that hold the objectives by name; a row that lacks one is left out."""
    points = [[row.get(name, float("nan")) for name in names] for row in rows]
    return front(points, [OBJECTIVES[name].maximise for name in names])


def pareto_trials(record: StudyRecord) -> tuple[TrialRecord, ...]:
    """The front over a study's COMPLETE trials, best score first; empty for studies of one objective.

    Trials of one configuration count once, the first of them.
    """
    names = record.study.objectives
    if len(names) < 2:
        return ()
    first: dict[str, TrialRecord] = {}
    for t in sorted(record.trials, key=lambda t: t.number):
        if t.state == "COMPLETE" and t.configuration is not None:
            first.setdefault(t.configuration_id, t)
    trials = list(first.values())
    found = [trials[i] for i in on_front([t.objectives for t in trials], names)]
    return tuple(sorted(found, key=lambda t: (-t.objectives["score"], t.number)))


def further_finalists(record: StudyRecord) -> tuple[TrialRecord, ...]:
    """Trials of the front that a confirmation takes in beside the best by score: `confirmation.front` of them."""
    asked = record.study.confirmation
    finished = [t for t in record.trials if t.state == "COMPLETE" and t.value is not None]
    ranked = sorted(finished, key=lambda t: (-(t.value or 0.0), t.number))
    best = list(dict.fromkeys(t.configuration_id for t in ranked))[: asked.finalists]
    return tuple(t for t in pareto_trials(record) if t.configuration_id not in best)[: asked.front]
