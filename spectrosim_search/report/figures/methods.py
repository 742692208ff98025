"""Score of every method with its interval over groups."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from spectrosim_search.report.figures._forest import forest
from spectrosim_search.report.numbers import interval, metric_title, score
from spectrosim_search.report.table import ordered_methods
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Scores of all methods"
ORDER = 10
SECTION = "result"
CAPTION = (
    "Each mark is a confirmed score, each bar its 95 % interval over groups: it says what other groups might give. "
    "Bars of two methods may overlap although their paired difference is clear; the next figure shows differences."
)

_CHANCE = {"auc": 0.5, "matched_auc": 0.5, "balanced_accuracy": 0.5, "eer": 0.5, "mcc": 0.0, "average_precision": 0.02}


def build(record: StudyRecord) -> go.Figure | None:
    """Draw the study's metric of winner, finalists, presets, reference rows, ceiling and audit."""
    c = record.confirmation
    if c is None:
        return None
    rows = [
        (row, row.metrics[c.metric], f"{interval(row.metrics[c.metric])}<br>sd over seeds {score(row.seed_sd)}")
        for row in ordered_methods(record)
        if c.metric in row.metrics and math.isfinite(row.metrics[c.metric].value)
    ]
    if not rows:
        return None
    made = forest(rows, metric_title(c.metric))
    if c.metric in _CHANCE:
        made.add_vline(x=_CHANCE[c.metric], line_dash="dot", line_width=1.5)
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return "nothing is confirmed yet" if record.confirmation is None else "no method has a defined score"
