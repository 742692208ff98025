"""Which classes are taken for which."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from spectrosim_search.report.class_counts import class_counts
from spectrosim_search.report.figures._confusion import confusion
from spectrosim_search.report.marks import plot_text
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Which classes are taken for each other"
ORDER = 48
SECTION = "result"
TASKS = ("identify", "pretrain", "synthesis")
CAPTION = (
    "Rows are what a spectrum is, columns what the winner's models named it, as a share of the row; out of fold or "
    "held out, three seeds together. A faultless winner has a dark diagonal and nothing else."
)

MOST = 30


def build(record: StudyRecord) -> go.Figure | None:
    """Draw the confusion of all classes, or of those with most errors and what they are taken for."""
    counts = class_counts(record.confirmation)
    if counts is None:
        return None
    shown = _shown(counts.table, np.nan_to_num(counts.error))
    judged = np.maximum(counts.judged[shown], 1)
    share = counts.table[np.ix_(shown, shown)] / judged[:, None]
    names = [plot_text(counts.names[i], 18) for i in shown]
    texts = [
        [f"{a} named {b}: {share[i, j]:.0%} of {counts.judged[shown[i]]:,}" for j, b in enumerate(names)]
        for i, a in enumerate(names)
    ]
    height = 160 + 17 * max(len(shown), 12)
    made = confusion(share, names, texts, height=height, colorbar={}, rows="is", columns="named")
    if len(shown) < len(counts.names):
        made.layout.meta["note"] = f"Shown: {len(shown)} of {len(counts.names):,} classes, those with most errors."
    return made


def _shown(table: NDArray[np.int64], error: NDArray[np.float64]) -> list[int]:
    """Classes with most errors, each followed by what it is most often taken for, in the order of their codes."""
    if len(table) <= MOST:
        return list(range(len(table)))
    wrong = table - np.diag(np.diag(table))
    chosen: dict[int, None] = {}
    for i in np.argsort(-error, kind="stable"):
        chosen.setdefault(int(i))
        if wrong[i].any():
            chosen.setdefault(int(wrong[i].argmax()))
        if len(chosen) >= MOST:
            break
    return sorted(list(chosen)[:MOST])


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return "nothing is confirmed yet" if record.confirmation is None else "the confirmation stored no named classes"
