"""What a method that sees no spectrum scores under the study's own splits."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import score
from spectrosim_search.report.theme import KIND_SYMBOLS, colour, figure
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Leakage audit"
ORDER = 60
SECTION = "result"
TASKS = ("same-batch",)
CAPTION = (
    "Union-find joins what training pairs say and never looks at an intensity, so whatever it scores above .5 leaks "
    "through the splits. Under disjoint batches it must stand on the expected line; the winner is shown for scale."
)


def build(record: StudyRecord) -> go.Figure | None:
    """Draw the audit's two scores, what is expected of it, and the winner's same two scores."""
    c = record.confirmation
    if c is None or not any(math.isfinite(c.leakage.get(k, math.nan)) for k in ("auc", "balanced_accuracy")):
        return None
    winner = next((r for r in c.rows if r.kind == "winner"), None)
    names = {"balanced_accuracy": "balanced accuracy", "auc": "AUC, all pairs"}
    made = figure(height=250)
    series: list[tuple[str, str, str, dict[str, float]]] = [
        ("union-find, blind", "audit", "red", {k: c.leakage.get(k, math.nan) for k in names}),
    ]
    if winner is not None:
        own = {k: winner.metrics[k].value for k in names if k in winner.metrics}
        series.append((winner.title, "winner", "blue", own))
    for title, kind, tone, values in series:
        shown = {k: v for k, v in values.items() if math.isfinite(v)}
        made.add_trace(
            go.Scatter(
                x=list(shown.values()),
                y=[names[k] for k in shown],
                mode="markers+text",
                text=[score(v) for v in shown.values()],
                textposition="top center",
                textfont={"color": colour("ink")},
                name=plot_text(title),
                marker={"symbol": KIND_SYMBOLS[kind], "size": 12, "color": colour(tone)},
                hoverinfo="name+x",
            )
        )
    expected = c.leakage.get("expected", math.nan)
    if math.isfinite(expected):
        made.add_vline(x=expected, line_dash="dash", line_width=1.5, line_color=colour("muted"))
        made.add_annotation(
            x=expected,
            y=1,
            yref="y domain",
            xanchor="left",
            yanchor="top",
            xshift=5,
            text=f"expected {score(expected)}",
        )
    made.update_xaxes(title_text="score", range=[0.38, 1.05], tickformat=".1~f")
    made.update_yaxes(showgrid=False, ticks="", range=[-0.5, 1.7])
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return "nothing is confirmed yet" if record.confirmation is None else "the confirmation stored no audit"
