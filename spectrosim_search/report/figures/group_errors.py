"""Which groups are missed, and which are taken for others."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.groups import MOST, group_errors, why_missing, worst_first
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Errors by group"
ORDER = 46
SECTION = "result"
TASKS = ("same-batch",)
CAPTION = (
    "The winner at its models' own thresholds: share of a group's same-batch pairs that were missed, and share of its "
    "pairs with other groups that were called the same; worst mean of the two first. A group has few pairs of its own, "
    "so look at its spectra before blaming it."
)


def build(record: StudyRecord) -> go.Figure | None:
    """Draw two marks a group."""
    c = record.confirmation
    errors = group_errors(c) if c is not None else None
    if errors is None:
        return None
    miss, alarm = errors.miss, errors.false_alarm
    worst = worst_first(errors)
    if not len(worst):
        return None
    shown = worst[:MOST]
    made = figure(height=110 + 19 * len(shown))
    if len(worst) > len(shown):
        made.layout.meta["note"] = f"Shown: the {MOST} groups with most errors of {len(worst):,}."
    high = max(0.1, float(np.nanmax(np.stack([miss[worst], alarm[worst]]))))
    own, judged = np.diag(errors.judged), errors.judged.sum(axis=1)
    x: list[float | None] = []
    y: list[float | None] = []
    for place, group in enumerate(shown):
        if np.isfinite(miss[group]) and np.isfinite(alarm[group]):
            x += [round(float(miss[group]), 4), round(float(alarm[group]), 4), None]
            y += [place, place, None]
    made.add_trace(
        go.Scatter(
            x=x, y=y, mode="lines", line={"color": colour("grid"), "width": 2}, showlegend=False, hoverinfo="skip"
        )
    )
    for values, name, tone, symbol, pairs in (
        (miss, "missed", "blue", "circle", own),
        (alarm, "false alarms", "orange", "triangle-up", judged - own),
    ):
        drawn = [(place, g) for place, g in enumerate(shown) if np.isfinite(values[g])]
        made.add_trace(
            go.Scatter(
                x=[round(float(values[g]), 4) for _, g in drawn],
                y=[place for place, _ in drawn],
                mode="markers",
                name=name,
                marker={"symbol": symbol, "size": 8, "color": colour(tone)},
                text=[
                    f"{plot_text(errors.names[g])}: {values[g]:.1%} of {int(pairs[g]):,} scored pairs" for _, g in drawn
                ],
                hoverinfo="text+name",
            )
        )
    made.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[plot_text(errors.names[g], 24) for g in shown],
        range=[len(shown) - 0.4, -0.6],
        showgrid=False,
        ticks="",
        tickfont_size=11,
    )
    made.update_xaxes(title_text="share of pairs judged wrongly", tickformat=".0%", range=[-0.03 * high, 1.05 * high])
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return why_missing(record)
