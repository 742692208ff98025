"""Estimates with intervals, one row a method."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.theme import KIND_COLOURS, KIND_SYMBOLS, colour, figure
from spectrosim_search.search.records import MethodRow

__all__ = ["forest"]


def _name(title: str) -> str:
    """Drop what stands in brackets at the end of a title too long for the axis."""
    return title.rpartition(" (")[0] or title if len(title) > 28 and title.endswith(")") else title


def forest(rows: Sequence[tuple[MethodRow, Estimate, str]], title: str) -> go.Figure:
    """Draw rows from top to bottom; the text (Plotly's markup) appears over each mark.

    Rows are numbered rather than named on the axis, so that two methods of one title stay two rows.
    """
    made = figure(height=110 + 30 * len(rows), showlegend=True)
    made.layout.meta["legend"] = "wide"
    for kind in dict.fromkeys(row.kind for row, _, _ in rows):
        own = [(i, e, t) for i, (row, e, t) in enumerate(rows) if row.kind == kind]
        made.add_trace(
            go.Scatter(
                x=[e.value for _, e, _ in own],
                y=[i for i, _, _ in own],
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [e.high - e.value if math.isfinite(e.high) else 0.0 for _, e, _ in own],
                    "arrayminus": [e.value - e.low if math.isfinite(e.low) else 0.0 for _, e, _ in own],
                    "thickness": 2,
                    "width": 4,
                },
                mode="markers",
                marker={"symbol": KIND_SYMBOLS[kind], "size": 11, "color": colour(KIND_COLOURS[kind])},
                name={"baseline": "reference row", "oracle": "ceiling", "audit": "leakage audit"}.get(kind, kind),
                text=[f"{plot_text(rows[i][0].title)}<br>{t}" for i, _, t in own],
                hoverinfo="text",
            )
        )
    names = [plot_text(_name(row.title), 28) for row, _, _ in rows]
    made.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=names, range=[len(rows) - 0.4, -0.6], showgrid=False, ticks=""
    )
    made.update_xaxes(title_text=title, tickformat=".2~f")
    return made
