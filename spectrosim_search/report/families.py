"""Families of methods, in the order in which tables and forests list them, and ranks within a study."""

from __future__ import annotations

import math

from spectrosim_search.search.records import MethodRow, StudyRecord

__all__ = ["FAMILIES", "family", "ranks"]

FAMILIES = (
    "winner",
    "other finalists",
    "presets",
    "reference rows",
    "metrics without pair training",
    "classical pair classifiers",
    "neural pair classifiers",
    "ceiling, simulated data only",
    "leakage audit",
)

_KINDS = {"winner": 0, "finalist": 1, "preset": 2, "oracle": 7, "audit": 8}
_PAIRED = ("-difference", "-absolute")  # what a classifier of pairs reads: x1 - x2 or |x1 - x2|
_NEURAL = "binary-"


def family(row: MethodRow) -> str:
    """One of :data:`FAMILIES`. Baselines are told apart by their names.

    ``binary-…`` are networks trained on pairs, ``…-difference`` and ``…-absolute`` classical classifiers of pairs; all
    others score a pair by a similarity or a metric.
    """
    if row.kind in _KINDS:
        return FAMILIES[_KINDS[row.kind]]
    if "accuracy" in row.metrics:  # a task that names a class
        return FAMILIES[3]
    if row.name.startswith(_NEURAL):
        return FAMILIES[6]
    return FAMILIES[5 if row.name.endswith(_PAIRED) else 4]


def ranks(record: StudyRecord) -> dict[str, int]:
    """Name → rank by the study's metric, 1 = best; equal scores share the better rank.

    Ceiling and audit take no part, nor do methods without a defined score. Empty before a confirmation.
    """
    c = record.confirmation
    if c is None:
        return {}
    values = {
        row.name: row.metrics[c.metric].value
        for row in c.rows
        if row.kind not in ("oracle", "audit") and c.metric in row.metrics
    }
    known = {name: value for name, value in values.items() if math.isfinite(value)}
    return {name: 1 + sum(other > value for other in known.values()) for name, value in known.items()}
