"""Reliability of the likelihood ratios that similarities become."""

from __future__ import annotations

from statistics import fmean

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.calibrated import cross_fitted, reliability
from spectrosim_search.report.compared import compared
from spectrosim_search.report.groups import joined_groups
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import score
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Calibration: what a probability of 'same' is worth"
ORDER = 44
SECTION = "result"
TASKS = ("same-batch",)
CAPTION = (
    "Predicted probability at even prior odds against the share of same-batch pairs among pairs so predicted (both "
    "kinds weigh one half); on the diagonal, probabilities mean what they say. The logistic calibration was fitted on "
    "other groups' pairs. Size: share of pairs in the bin."
)


def build(record: StudyRecord) -> go.Figure | None:
    """Draw reliability of the winner and the best baseline."""
    c = record.confirmation
    if c is None:
        return None
    made = figure(height=420)
    told = []
    for name, pairs, tone, dash in compared(record)[:2]:
        sets = cross_fitted(pairs, c.group_codes if c.group_codes.size else joined_groups(pairs))
        if not sets:
            continue
        predicted, observed, weight = reliability(sets)
        cost, least = fmean(s.cost for s in sets), fmean(s.minimum for s in sets)
        told.append(f"{name} {score(cost)} (minimum {score(least)})")
        made.add_trace(
            go.Scatter(
                x=np.round(predicted, 4),
                y=np.round(observed, 4),
                customdata=np.round(weight, 4),
                mode="lines+markers",
                name=plot_text(name),
                line={"color": colour(tone), "dash": dash, "width": 2},
                marker={"size": np.round(6 + 26 * np.sqrt(weight), 1), "color": colour(tone), "opacity": 0.75},
                hovertemplate="predicted %{x:.1%}, observed %{y:.1%}<br>%{customdata:.1%} of pairs"
                f"<extra>{plot_text(name)}</extra>",
            )
        )
    if not told:
        return None
    made.layout.meta["note"] = (
        f"Cllr, cost of the likelihood ratios in bits (0 perfect, 1 no information): {'; '.join(told)}. The minimum is "
        "what the ranking of the pairs allows; the rest is lost by calibration."
    )
    made.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"dash": "dot", "width": 1.5}, layer="below")
    made.update_xaxes(title_text="predicted probability of 'same'", tickformat=".0%", range=[-0.03, 1.03])
    made.update_yaxes(title_text="observed share of 'same'", tickformat=".0%", range=[-0.03, 1.03])
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    if record.confirmation is None:
        return "nothing is confirmed yet"
    return "no pairs of other groups to calibrate by" if record.confirmation.pairs else "no model was trained"
