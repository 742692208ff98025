"""Scores of trials in the order in which they were asked."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.theme import colour, figure, translucent
from spectrosim_search.report.trials import label, score_title, scored_trials, search_note, thin, winner_name, winners
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "History of the search"
ORDER = 110
SECTION = "search"
CAPTION = (
    "Each mark is a trial; filled: finished on all cells, with the spread over cells (one standard deviation); hollow: "
    "pruned, on the cells it had. The line is the best finished trial so far, which flatters: a maximum always does."
)

_MOST_LABELLED = 1200


def build(record: StudyRecord) -> go.Figure | None:
    """Draw finished and pruned trials, failures along the lower edge, and the best so far."""
    every = scored_trials(record)
    if not every:
        return None
    trials, note = thin(every)
    made = figure(height=420, wide=True)
    made.layout.meta["note"] = note
    long = len(trials) <= _MOST_LABELLED
    pruned = [t for t in trials if not t.complete]
    made.add_trace(
        go.Scatter(
            x=[t.number for t in pruned],
            y=[round(t.value, 5) for t in pruned],
            mode="markers",
            name=f"pruned ({sum(not t.complete for t in every):,})",
            marker={"symbol": "circle-open", "size": 7, "color": colour("muted")},
            text=[label(t, parameters=long) for t in pruned],
            hoverinfo="text",
        )
    )
    complete = [t for t in trials if t.complete]
    made.add_trace(
        go.Scatter(
            x=[t.number for t in complete],
            y=[round(t.value, 5) for t in complete],
            error_y={
                "type": "data",
                "array": [round(t.spread, 5) if math.isfinite(t.spread) else 0.0 for t in complete],
                "color": translucent("sky", 0.45),
                "thickness": 1.5,
                "width": 0,
            },
            mode="markers",
            name=f"finished ({sum(t.complete for t in every):,})",
            marker={"symbol": "circle", "size": 8, "color": colour("sky")},
            text=[label(t, parameters=long) for t in complete],
            hoverinfo="text",
        )
    )
    finished = [t for t in every if t.complete]
    if finished:
        best = np.maximum.accumulate([t.value for t in finished])
        steps = [i for i in range(len(best)) if i == 0 or best[i] > best[i - 1]]
        made.add_trace(
            go.Scatter(
                x=[*(finished[i].number for i in steps), every[-1].number],
                y=[*(round(float(best[i]), 5) for i in steps), round(float(best[-1]), 5)],
                mode="lines",
                line={"shape": "hv", "color": colour("ink"), "width": 1.5, "dash": "dash"},
                name="best so far",
                hoverinfo="y",
            )
        )
    won = [t for t in complete if t.number in winners(record)]
    if won:
        made.add_trace(
            go.Scatter(
                x=[t.number for t in won],
                y=[t.value for t in won],
                mode="markers",
                name=f"{winner_name(record)} of the confirmation",
                marker={"symbol": "diamond-open", "size": 15, "color": colour("blue"), "line": {"width": 2.5}},
                hoverinfo="skip",
            )
        )
    failed = [t.number for t in record.trials if t.state == "FAIL"]
    if failed:
        floor = min(t.value for t in trials)
        made.add_trace(
            go.Scatter(
                x=failed,
                y=[floor] * len(failed),
                mode="markers",
                name=f"failed ({len(failed):,}), no score",
                marker={"symbol": "x", "size": 8, "color": colour("red")},
                text=[f"trial {n} failed" for n in failed],
                hoverinfo="text",
            )
        )
    last = max(t.number for t in record.trials)
    pad = 0.015 * last + 0.3  # the first trial, often the winner, stands whole beside the axis
    made.update_xaxes(title_text="trial", range=[-pad, last + pad])
    made.update_yaxes(title_text=score_title(record), tickformat=".3~f")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return search_note(record)
