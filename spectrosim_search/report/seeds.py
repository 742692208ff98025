"""Fresh seeds of the confirmation: what each candidate scored with each of them."""

from __future__ import annotations

import math
from statistics import fmean

from spectrosim_search.report.table import ordered_methods
from spectrosim_search.search.records import MethodRow, StudyRecord

__all__ = ["fresh_score", "fresh_seeds", "seed_scores"]


def fresh_seeds(record: StudyRecord, configuration_id: str) -> dict[int, float]:
    """Seed → mean over the folds of the study's metric, for seeds of which every fold has ended with a score."""
    found: dict[int, dict[int, float]] = {}
    folds: set[int] = set()
    for r in record.finished("confirm"):
        folds.add(r.fold)
        if r.configuration_id == configuration_id:
            found.setdefault(r.seed, {})[r.fold] = r.score
    return {
        seed: fmean(scores.values())
        for seed, scores in sorted(found.items())
        if set(scores) == folds and all(math.isfinite(v) for v in scores.values())
    }


def fresh_score(record: StudyRecord, configuration_id: str) -> float:
    """Mean over fresh seeds of the mean over folds; NaN without a complete seed."""
    scores = fresh_seeds(record, configuration_id).values()
    return fmean(scores) if scores else math.nan


def seed_scores(record: StudyRecord) -> list[tuple[MethodRow, dict[int, float]]]:
    """Candidates in the order of the result table, each with the score of every complete seed."""
    candidates = [r for r in ordered_methods(record) if r.kind in ("winner", "finalist", "preset")]
    every = [(row, fresh_seeds(record, row.configuration_id)) for row in candidates]
    return [(row, scores) for row, scores in every if scores]
