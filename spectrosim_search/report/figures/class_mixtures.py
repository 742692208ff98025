"""How well components of mixtures are named, by their number."""

from __future__ import annotations

import math

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import interval
from spectrosim_search.report.table import ordered_methods
from spectrosim_search.report.theme import KIND_COLOURS, KIND_SYMBOLS, colour, figure
from spectrosim_search.search.records import ConfirmationRecord, MethodRow, StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Mixture accuracy by components"
ORDER = 44
SECTION = "result"
TASKS = ("identify",)
CAPTION = (
    "Judged spectra of distinct classes are summed with equal weights, and a method that is told how many names their "
    "classes: all of them (left), or a mean share of them (right). Over 1 stands the accuracy for single spectra. Bars "
    "are 95 % intervals over classes."
)

_Panel = dict[int, tuple[Estimate, int]]

DASHES = ("solid", "dash", "dot", "dashdot")


def build(record: StudyRecord) -> go.Figure | None:
    """Draw two panels with a line a method that takes mixtures apart."""
    c = record.confirmation
    if c is None or not c.mixtures:
        return None
    made = figure(height=420)
    grid = make_subplots(cols=2, horizontal_spacing=0.12)
    grid.update_layout(made.layout, overwrite=False)
    grid.layout.meta = {**(made.layout.meta or {}), "wide": True}
    methods = [row for row in ordered_methods(record) if row.name in c.mixtures]
    for number, row in enumerate(methods):
        shift = 0.06 * (number - (len(methods) - 1) / 2)
        dash = DASHES[sum(r.kind == row.kind for r in methods[:number]) % len(DASHES)]
        for column, panel in enumerate(_panels(c, row), start=1):
            line = _line(panel, row, shift, dash)
            grid.add_trace(line.update(showlegend=column == 1), row=1, col=column)
    orders = sorted({1, *(e.components for own in c.mixtures.values() for e in own)})
    grid.update_xaxes(title_text="components", tickvals=orders, range=[0.7, orders[-1] + 0.3])
    grid.update_yaxes(rangemode="tozero", tickformat=".0%", range=[0, 1.03])
    for column, title in enumerate(("all components right", "mean share of components right"), start=1):
        grid.update_yaxes(title_text=title, col=column)
    grid.update_layout(showlegend=True)
    return grid


def _panels(c: ConfirmationRecord, row: MethodRow) -> tuple[_Panel, _Panel]:
    """All right and mean right: number of components → estimate and how many mixtures (0 for single spectra)."""
    single = {1: (row.metrics["accuracy"], 0)} if "accuracy" in row.metrics else {}
    whole = {e.components: (e.all_right, e.mixtures) for e in c.mixtures[row.name]}
    share = {e.components: (e.mean_right, e.mixtures) for e in c.mixtures[row.name]}
    return single | whole, single | share


def _line(panel: _Panel, row: MethodRow, shift: float, dash: str) -> go.Scatter:
    title, tone = plot_text(row.title), colour(KIND_COLOURS[row.kind])
    known = {k: found for k, found in sorted(panel.items()) if math.isfinite(found[0].value)}
    estimates = [e for e, _ in known.values()]
    return go.Scatter(
        x=[k + shift for k in known],
        y=[e.value for e in estimates],
        error_y={
            "type": "data",
            "array": [_reach(e.high - e.value) for e in estimates],
            "arrayminus": [_reach(e.value - e.low) for e in estimates],
            "thickness": 1.5,
            "width": 4,
        },
        mode="lines+markers",
        line={"color": tone, "width": 1.5, "dash": dash},
        marker={"color": tone, "size": 8, "symbol": KIND_SYMBOLS[row.kind]},
        name=title,
        legendgroup=title,
        hovertext=[
            f"{title}, {k} component{'s' * (k > 1)}: {interval(e)}" + (f"<br>{m:,} mixtures" if m else "")
            for k, (e, m) in known.items()
        ],
        hoverinfo="text",
    )


def _reach(length: float) -> float:
    """Length of one side of an error bar; 0 where there is no interval."""
    return max(length, 0.0) if math.isfinite(length) else 0.0


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    if record.confirmation is None:
        return "nothing is confirmed yet"
    return "no mixtures were made: confirmation.mixtures of the study says how many"
