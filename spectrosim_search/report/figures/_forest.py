"""Estimates with intervals, one row a method."""

from __future__ import annotations

import math
from collections.abc import Sequence

import plotly.graph_objects as go

from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.report.families import family
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.theme import KIND_COLOURS, KIND_SYMBOLS, colour, figure
from spectrosim_search.search.records import MethodRow

__all__ = ["forest"]

_DENSE = 24  # rows above which they stand closer
_SYMBOLS = {"classical pair classifiers": "triangle-down", "neural pair classifiers": "hexagon"}
_NAMES = {
    "other finalists": "finalist",
    "presets": "preset",
    "metrics without pair training": "metric",
    "classical pair classifiers": "classical",
    "neural pair classifiers": "neural",
    "ceiling, simulated data only": "ceiling",
}


def _name(title: str) -> str:
    """Drop what stands in brackets at the end of a title too long for the axis."""
    return title.rpartition(" (")[0] or title if len(title) > 28 and title.endswith(")") else title


def forest(rows: Sequence[tuple[MethodRow, Estimate, str]], title: str) -> go.Figure:
    """Draw rows from top to bottom; the text (Plotly's markup) appears over each mark.

    Rows are numbered rather than named on the axis, so that two methods of one title stay two rows. Thin lines part the
    families of methods. Many rows stand closer together: sixty take about 1,250 pixels.
    """
    dense = len(rows) > _DENSE
    made = figure(height=110 + (19 if dense else 30) * len(rows), showlegend=True)
    made.layout.meta["legend"] = "wide"
    families = [family(row) for row, _, _ in rows]
    for own in dict.fromkeys(families):
        places = [i for i, name in enumerate(families) if name == own]
        kind = rows[places[0]][0].kind
        estimates = [rows[i][1] for i in places]
        made.add_trace(
            go.Scatter(
                x=[e.value for e in estimates],
                y=places,
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": [e.high - e.value if math.isfinite(e.high) else 0.0 for e in estimates],
                    "arrayminus": [e.value - e.low if math.isfinite(e.low) else 0.0 for e in estimates],
                    "thickness": 1.5 if dense else 2,
                    "width": 2 if dense else 4,
                },
                mode="markers",
                marker={
                    "symbol": _SYMBOLS.get(own, KIND_SYMBOLS[kind]),
                    "size": 8 if dense else 11,
                    "color": colour(KIND_COLOURS[kind]),
                },
                name=_NAMES.get(own, own),
                text=[f"{plot_text(rows[i][0].title)}<br>{rows[i][2]}" for i in places],
                hoverinfo="text",
            )
        )
    for i in range(1, len(rows)):
        if families[i] != families[i - 1]:
            made.add_hline(y=i - 0.5, line_width=1, line_color=colour("grid"), layer="below")
    names = [plot_text(_name(row.title), 28) for row, _, _ in rows]
    made.update_yaxes(
        tickvals=list(range(len(rows))), ticktext=names, range=[len(rows) - 0.4, -0.6], showgrid=False, ticks=""
    )
    if dense:
        made.update_yaxes(tickfont_size=11)
    made.update_xaxes(title_text=title, tickformat=".3~f")
    return made
