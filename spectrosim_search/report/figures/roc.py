"""Receiver operating characteristic of winner, best reference row and plain cosine."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.compared import compared
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.pairs import RATES, mean_roc, operating_points
from spectrosim_search.report.theme import colour, figure, translucent
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "ROC: same-batch pairs found against false alarms"
ORDER = 40
SECTION = "result"
TASKS = ("same-batch",)
CAPTION = (
    "All pairs, averaged over the sets of pairs at equal false alarm rate; the band holds the middle 80 % of the "
    "winner's curves. Crosses are the winner's models at their own thresholds, which were chosen on other pairs."
)

_MOST_CROSSES = 300


def build(record: StudyRecord) -> go.Figure | None:
    """Draw mean curves on a common grid of false positive rates."""
    made = figure(height=420)
    drawn = 0
    for name, pairs, tone, dash in compared(record):
        curve = mean_roc(pairs)
        if curve is None:
            continue
        mean, low, high = curve
        if drawn == 0:
            made.add_trace(
                go.Scatter(
                    x=np.round(np.concatenate([RATES, RATES[::-1]]), 4),
                    y=np.round(np.concatenate([high, low[::-1]]), 4),
                    fill="toself",
                    fillcolor=translucent(tone, 0.15),
                    line={"width": 0},
                    hoverinfo="skip",
                    showlegend=False,
                )
            )
        made.add_trace(
            go.Scatter(
                x=np.round(RATES, 4),
                y=np.round(mean, 4),
                mode="lines",
                name=plot_text(name),
                line={"color": colour(tone), "dash": dash, "width": 2.5},
                hovertemplate="%{y:.1%} found at %{x:.1%} false alarms<extra>" + plot_text(name) + "</extra>",
            )
        )
        drawn += 1
    if not drawn or record.confirmation is None:
        return None
    if record.confirmation.pairs:
        false, true = operating_points(record.confirmation.pairs)
        made.add_trace(
            go.Scatter(
                x=np.round(false[:_MOST_CROSSES], 4),
                y=np.round(true[:_MOST_CROSSES], 4),
                mode="markers",
                name="winner at its thresholds",
                marker={"symbol": "cross-thin", "size": 8, "line": {"width": 1.5, "color": colour("ink")}},
                opacity=0.5,
                hovertemplate="%{y:.1%} found at %{x:.1%} false alarms<extra></extra>",
            )
        )
    made.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"dash": "dot", "width": 1.5}, layer="below")
    made.update_xaxes(title_text="different-batch pairs called the same", tickformat=".0%", range=[-0.01, 1.01])
    made.update_yaxes(title_text="same-batch pairs found", tickformat=".0%", range=[-0.01, 1.01])
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    c = record.confirmation
    if c is None:
        return "nothing is confirmed yet"
    return "no confirmed set holds both kinds of pairs" if c.pairs else "no model was trained"
