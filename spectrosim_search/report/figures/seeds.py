"""Scores of every candidate over its fresh training seeds."""

from __future__ import annotations

import plotly.graph_objects as go

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import metric_title
from spectrosim_search.report.seeds import seed_scores
from spectrosim_search.report.theme import KIND_COLOURS, colour, figure, translucent
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Spread over training seeds"
ORDER = 24
SECTION = "result"
CAPTION = (
    "Each mark is one fresh seed of a candidate, averaged over the folds; boxes hold the middle half, lines the "
    "median. This is training noise on the same groups and no evidence about new ones: tests over seeds call equal "
    "methods different. Scores before any correction."
)


def build(record: StudyRecord) -> go.Figure | None:
    """Draw a box with all its marks for every candidate."""
    rows = seed_scores(record)
    if not rows:
        return None
    made = figure(height=130 + 46 * len(rows), showlegend=False)
    for place, (row, scores) in enumerate(rows):
        tone = KIND_COLOURS[row.kind]
        made.add_trace(
            go.Box(
                x=[round(v, 5) for v in scores.values()],
                y=[place] * len(scores),
                orientation="h",
                boxpoints="all",
                pointpos=0,
                jitter=0.6,
                width=0.6,
                name=plot_text(row.title),
                line={"color": colour(tone), "width": 1.5},
                fillcolor=translucent(tone, 0.12),
                marker={"color": colour(tone), "size": 6, "opacity": 0.75},
                text=[f"{plot_text(row.title)}, seed {seed}: {v:.3f}" for seed, v in scores.items()],
                hoverinfo="text",
                hoveron="points",
            )
        )
    made.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[plot_text(row.title, 28) for row, _ in rows],
        range=[len(rows) - 0.4, -0.6],
        showgrid=False,
        ticks="",
    )
    made.update_xaxes(title_text=f"{metric_title(record.study.metric)}, mean over folds", tickformat=".3~f")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return "nothing is confirmed yet" if record.confirmation is None else "no candidate has a complete fresh seed"
