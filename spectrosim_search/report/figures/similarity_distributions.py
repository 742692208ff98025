"""Similarities of same-batch and of different-batch pairs, with the threshold between them."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.numbers import score
from spectrosim_search.report.pairs import density, usable
from spectrosim_search.report.theme import colour, figure, translucent
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Similarity of pairs from the same and from different batches"
ORDER = 30
SECTION = "result"
TASKS = ("same-batch",)
CAPTION = (
    "Share of the winner's confirmed pairs at each similarity, each kind of pair by itself; right of the line a pair "
    "is called the same. The shaded band holds the middle 80 % of the thresholds that single models chose."
)

_BINS = 40


def build(record: StudyRecord) -> go.Figure | None:
    """Draw two outlined histograms over common bins, averaged over the sets of pairs."""
    c = record.confirmation
    sets = usable(c.pairs) if c is not None else ()
    if c is None or not sets:
        return None
    every = np.concatenate([p.similarity for p in sets]).astype(np.float64)
    low, high = np.quantile(every, [0.0005, 0.9995])
    if not high > low:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    centres = np.round((edges[1:] + edges[:-1]) / 2, 5)
    made = figure(height=380)
    for kind, name, tone, dash in ((False, "different batch", "orange", "dash"), (True, "same batch", "blue", "solid")):
        shares = np.mean([density(p.similarity[p.positive == kind].astype(np.float64), edges) for p in sets], axis=0)
        pairs = int(np.mean([(p.positive == kind).sum() for p in sets]))
        made.add_trace(
            go.Scatter(
                x=centres,
                y=np.round(shares, 5),
                name=f"{name} ({pairs:,} pairs a set)",
                mode="lines",
                line={"shape": "hvh", "width": 2, "color": colour(tone), "dash": dash},
                fill="tozeroy",
                fillcolor=translucent(tone, 0.18),
                hovertemplate=f"similarity %{{x:.3f}}<br>%{{y:.1%}} of {name} pairs<extra></extra>",
            )
        )
    thresholds = np.array([p.threshold for p in sets if np.isfinite(p.threshold)])
    if len(thresholds) > 1:
        first, last = np.quantile(thresholds, [0.1, 0.9])
        made.add_vrect(x0=first, x1=last, fillcolor=translucent("faint", 0.25), line_width=0, layer="below")
    if np.isfinite(c.threshold):
        made.add_vline(x=c.threshold, line_width=2, line_color=colour("ink"))
        right = c.threshold > (low + high) / 2
        made.add_annotation(
            x=c.threshold,
            y=1,
            yref="y domain",
            text=f"threshold {score(c.threshold)}",
            xanchor="right" if right else "left",
            xshift=-6 if right else 6,
            yanchor="top",
        )
    made.update_xaxes(title_text="similarity of the pair")
    made.update_yaxes(title_text="share of pairs", tickformat=".0%", rangemode="tozero")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    c = record.confirmation
    if c is None:
        return "nothing is confirmed yet"
    return "no confirmed set holds both kinds of pairs" if c.pairs else "no model was trained"
