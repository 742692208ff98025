"""Further numbers of a task beside its score, a panel each."""

from __future__ import annotations

import math

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.table import ordered_methods
from spectrosim_search.report.theme import KIND_COLOURS, colour, figure
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Further numbers of the task"
ORDER = 45
SECTION = "result"
TASKS = ("identify", "pretrain", "synthesis")
CAPTION = (
    "What the methods tell beside their score, averaged over their runs (mixtures, rejection, likeness and novelty of "
    "made spectra, as the task has them). Nothing was chosen by these numbers."
)

COLUMNS = 3


def build(record: StudyRecord) -> go.Figure | None:
    """Draw one panel a number, one bar a method that has it."""
    c = record.confirmation
    if c is None or not c.details:
        return None
    titles = {row.name: row.title for row in ordered_methods(record)}
    kinds = {row.name: row.kind for row in ordered_methods(record)}
    names = list(dict.fromkeys(name for own in c.details.values() for name in own))
    rows = -(-len(names) // COLUMNS)
    most = max(sum(name in own for own in c.details.values()) for name in names)
    panel = 60 + 20 * max(most, 3)
    made = figure(height=100 + rows * panel)
    grid = make_subplots(
        rows=rows,
        cols=COLUMNS,
        subplot_titles=[plot_text(name.replace("_", " "), 34) for name in names],
        vertical_spacing=min(0.35, 60 / (rows * panel)) if rows > 1 else 0.1,
        horizontal_spacing=0.12,
    )
    grid.update_layout(made.layout, overwrite=False)
    grid.layout.height = made.layout.height
    grid.layout.margin.t = 40  # titles of the panels stand above them
    grid.layout.meta = {**(made.layout.meta or {}), "wide": True}
    for i, name in enumerate(names):
        own = [(m, c.details[m][name]) for m in titles if name in c.details.get(m, {})]
        own = [(m, v) for m, v in own if math.isfinite(v)]
        grid.add_trace(
            go.Bar(
                x=[v for _, v in own],
                y=[plot_text(titles[m], 20) for m, _ in own],
                orientation="h",
                marker_color=[colour(KIND_COLOURS[kinds[m]]) for m, _ in own],
                hovertext=[f"{plot_text(titles[m])}: {v:.4g}" for m, v in own],
                hoverinfo="text",
                showlegend=False,
            ),
            row=i // COLUMNS + 1,
            col=i % COLUMNS + 1,
        )
    grid.update_yaxes(autorange="reversed", showgrid=False, tickfont_size=10)
    return grid


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return "nothing is confirmed yet" if record.confirmation is None else "the methods told nothing beside their score"
