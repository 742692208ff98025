"""Search score against what a training run costs."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from spectrosim_search.report.figures._points import add_points
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import (
    ScoredTrial,
    score_title,
    scored_trials,
    search_note,
    thin,
)
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Score against cost"
ORDER = 190
SECTION = "search"
CAPTION = (
    "Mean training seconds of one replicate and search score of each trial; the line joins finished trials that no "
    "cheaper one matches. Far left on the line: nearly as good for less."
)


def _front(trials: list[ScoredTrial]) -> list[ScoredTrial]:
    front: list[ScoredTrial] = []
    for t in sorted(trials, key=lambda t: (t.train_seconds, -t.value)):
        if not front or t.value > front[-1].value:
            front.append(t)
    return front


def build(record: StudyRecord) -> go.Figure | None:
    """Draw trials with known training seconds on a logarithmic axis, and their Pareto front."""
    timed = tuple(t for t in scored_trials(record) if math.isfinite(t.train_seconds) and t.train_seconds > 0)
    if not timed:
        return None
    trials, note = thin(timed)
    made = figure(height=400)
    made.layout.meta["note"] = note
    add_points(made, record, trials, lambda t: t.train_seconds, lambda t: f"{t.train_seconds:.3g} s a training run")
    front = _front([t for t in timed if t.complete])
    if len(front) == 1:
        alone = f"No line: of the finished trials, trial {front[0].number} has the best score and costs least."
        made.layout.meta["note"] = f"{alone} {note}".strip()
    if len(front) > 1:
        made.add_trace(
            go.Scatter(
                x=[float(f"{t.train_seconds:.4g}") for t in front],
                y=[round(t.value, 5) for t in front],
                mode="lines",
                line={"shape": "hv", "color": colour("ink"), "width": 1.5, "dash": "dash"},
                name="best for its cost",
                hoverinfo="skip",
            )
        )
    low, high = min(t.train_seconds for t in timed), max(t.train_seconds for t in timed)
    nice = [m * 10.0**e for e in range(-4, 7) for m in (1, 2, 5) if 0.8 * low <= m * 10.0**e <= 1.25 * high]
    made.update_xaxes(title_text="training seconds of a replicate", type="log")
    if 2 <= len(nice) <= 10:
        made.update_xaxes(tickvals=nice, ticktext=[f"{v:g}" for v in nice])
    made.update_yaxes(title_text=score_title(record), tickformat=".3~f")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return search_note(record) if not scored_trials(record) else "no replicate stored its training time"
