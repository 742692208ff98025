"""How often pairs of two groups were called the same."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.figures._confusion import confusion
from spectrosim_search.report.groups import MOST, by_name, group_errors, why_missing, worst_first
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.theme import colour
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Which groups are taken for each other"
ORDER = 48
SECTION = "result"
TASKS = ("same-batch",)
CAPTION = (
    "Share of the pairs of two groups that the winner's models called the same, at their own thresholds. The diagonal, "
    "pairs of one group, should be dark and all else pale; blocks off the diagonal are groups that look alike. Empty: "
    "the two were never judged together."
)


def build(record: StudyRecord) -> go.Figure | None:
    """Draw groups against groups, ordered by label and name."""
    c = record.confirmation
    errors = group_errors(c) if c is not None else None
    if errors is None:
        return None
    judged = worst_first(errors)
    order = by_name(errors, judged[:MOST].tolist())
    if len(order) < 2:
        return None
    rate = errors.rate[np.ix_(order, order)]
    names = [plot_text(errors.names[g], 18) for g in order]
    texts = [
        [
            f"{a} and {b}: {rate[i, j]:.0%} of {int(errors.judged[order[i], order[j]]):,} scored pairs"
            if np.isfinite(rate[i, j])
            else f"{a} and {b}: never judged together"
            for j, b in enumerate(names)
        ]
        for i, a in enumerate(names)
    ]
    label = {"text": "called the same", "side": "right", "font": {"color": colour("muted"), "size": 12}}
    height = 140 + 17 * max(len(order), 16)
    made = confusion(rate, names, texts, height=height, colorbar={"title": label})
    if len(judged) > len(order):
        made.layout.meta["note"] = f"Shown: the {MOST} groups with most errors of {len(judged):,}."
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return why_missing(record)
