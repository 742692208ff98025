"""What would have been chosen without labels, against what labels chose."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.label_free import FEWEST, choices
from spectrosim_search.report.numbers import score
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import score_title, scored_trials, search_note
from spectrosim_search.search.label_free import CRITERIA
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Choosing without labels"
ORDER = 194
SECTION = "search"
TASKS = ("same-batch",)
CAPTION = (
    "Which finished trial criteria that see no group would have chosen, and what it scores by labels; ρ is Spearman's "
    "correlation of criterion and score over those trials. The choice of labels is a maximum over the search and "
    "flattered as such; the others are not. They decide nothing unless `confirmation.selection` names one."
)


def build(record: StudyRecord) -> go.Figure | None:
    """Draw the score of each choice, and of the middle one of the finished trials."""
    found = choices(record)
    if not found:
        return None
    made = figure(height=300)
    for choice in found:
        by_labels = choice is found[0]
        rho = f", ρ {score(choice.correlation, 2)}" if math.isfinite(choice.correlation) else ""
        made.add_trace(
            go.Scatter(
                x=[round(choice.value, 5)],
                y=[choice.title],
                mode="markers+text",
                text=[f"trial {choice.trial}: {score(choice.value)}{rho}"],
                textposition="top center",
                textfont={"color": colour("ink")},
                name=choice.title,
                marker={
                    "symbol": "diamond" if by_labels else "circle",
                    "size": 12,
                    "color": colour("blue" if by_labels else "sky"),
                },
                hoverinfo="text",
                showlegend=False,
            )
        )
    middle = float(np.median([t.value for t in scored_trials(record) if t.complete]))
    made.add_vline(x=middle, line_dash="dash", line_width=1.5, line_color=colour("muted"))
    note = f"Dashed: the middle one of the finished trials, {score(middle)}."
    asked = record.study.confirmation.selection
    if asked != "score":
        note += f" Here finalists were chosen by {CRITERIA[asked][0]}."
    made.layout.meta["note"] = note
    values = [c.value for c in found] + [middle]
    room = max(0.05, 0.35 * (max(values) - min(values)))
    made.update_xaxes(title_text=score_title(record), tickformat=".3~f", range=[min(values) - room, max(values) + room])
    made.update_yaxes(showgrid=False, ticks="", range=[len(found) - 0.5, -0.8])
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    trials = scored_trials(record)
    if not trials:
        return search_note(record)
    finished = sum(t.complete for t in trials)
    if finished < FEWEST:
        return f"{finished} of the {FEWEST} finished trials that a correlation needs"
    return "no replicates stored what is known without labels"
