"""Errors of each class, those with most first."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.class_counts import class_counts
from spectrosim_search.report.figures.class_confusion import missing
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Errors by class"
ORDER = 46
SECTION = "result"
TASKS = ("identify", "pretrain", "synthesis")
CAPTION = (
    "Share of each class's judged spectra that the winner's models named wrongly, classes with most errors first. Over "
    "few spectra a share is a rough number: the count stands in the text over each bar."
)

MOST = 40


def build(record: StudyRecord) -> go.Figure | None:
    """Draw one bar a class."""
    counts = class_counts(record.confirmation)
    if counts is None:
        return None
    error = counts.error
    known = np.flatnonzero(np.isfinite(error))
    wrong = known[error[known] > 0]
    shown = wrong if len(wrong) else known  # classes without an error say nothing beside those that have some
    order = shown[np.argsort(-error[shown], kind="stable")][:MOST]
    made = figure(height=120 + 18 * max(len(order), 8))
    if len(order) < len(known):
        faultless = len(known) - len(wrong)
        made.layout.meta["note"] = f"Shown: {len(order)} of {len(known):,} classes; {faultless:,} have no error."
    made.add_trace(
        go.Bar(
            x=np.round(error[order], 4),
            y=list(range(len(order))),
            orientation="h",
            marker_color=colour("sky"),
            hovertext=[
                f"{plot_text(counts.names[i])}: {error[i]:.1%} of {counts.judged[i]:,} judged spectra (all seeds)"
                for i in order
            ],
            hoverinfo="text",
            showlegend=False,
        )
    )
    made.update_xaxes(tickformat=".0%", rangemode="tozero", title_text="named wrongly")
    made.update_yaxes(
        autorange="reversed",
        tickvals=list(range(len(order))),
        ticktext=[plot_text(counts.names[i], 24) for i in order],
        showgrid=False,
    )
    return made
