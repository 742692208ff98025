"""Search score against one setting, with mean and spread over trials."""

from __future__ import annotations

import math

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.figures._axes import spread_out
from spectrosim_search.report.numbers import scalar, score
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import ScoredTrial, label, score_title, scored_trials, search_note, thin
from spectrosim_search.search.records import StudyRecord

__all__ = ["absent", "sensitivity"]

_MOST_DISTINCT = 10
_BINS = 6


def _with_value(record: StudyRecord, path: str) -> list[tuple[ScoredTrial, float]]:
    found = []
    for t in scored_trials(record):
        value = t.parameter(path)
        if isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value):
            found.append((t, float(value)))
    return found


def _bins(values: list[float]) -> list[tuple[float, list[int]]]:
    """Centre and members of bins: distinct values where few, else equally filled bins with their median."""
    distinct = sorted(set(values))
    if len(distinct) <= _MOST_DISTINCT:
        return [(d, [i for i, v in enumerate(values) if v == d]) for d in distinct]
    order = np.argsort(values, kind="stable")
    parts = np.array_split(order, min(_BINS, max(1, len(values) // 4)))
    return [(float(np.median([values[i] for i in part])), [int(i) for i in part]) for part in parts if len(part)]


def sensitivity(record: StudyRecord, path: str, title: str) -> go.Figure | None:
    """Draw trials and, a bin, mean ± standard deviation over trials; None where the setting took a single value.

    Positive settings are drawn on a logarithmic axis. Pruned trials count with the value they were pruned at: leaving
    them out would show survivors only.
    """
    found = _with_value(record, path)
    values = [v for _, v in found]
    if len(set(values)) < 2:
        return None
    scores = np.array([t.value for t, _ in found])
    log = min(values) > 0
    made = figure(height=380)
    bins = _bins(values)
    few = len(set(values)) <= _MOST_DISTINCT
    kept, note = thin(tuple(t for t, _ in found))
    made.layout.meta["note"] = note
    shown = {t.number for t in kept}
    marks = [(t, v) for t, v in found if t.number in shown]
    offsets = spread_out(len(marks), 0.10) if few and log else [0.0] * len(marks)
    made.add_trace(
        go.Scatter(
            x=[float(f"{v * 10**o:.5g}") for (_, v), o in zip(marks, offsets, strict=True)],
            y=[round(t.value, 5) for t, _ in marks],
            mode="markers",
            name="trial (hollow: pruned)",
            marker={
                "symbol": ["circle" if t.complete else "circle-open" for t, _ in marks],
                "size": 6,
                "color": colour("muted"),
                "opacity": 0.6,
            },
            text=[f"{title} {scalar(v)}<br>{label(t)}" for t, v in marks],
            hoverinfo="text",
        )
    )
    means = [float(scores[members].mean()) for _, members in bins]
    spreads = [float(scores[members].std(ddof=1)) if len(members) > 1 else 0.0 for _, members in bins]
    made.add_trace(
        go.Scatter(
            x=[float(f"{centre:.5g}") for centre, _ in bins],
            y=[round(m, 5) for m in means],
            error_y={"type": "data", "array": [round(s, 5) for s in spreads], "thickness": 2, "width": 5},
            mode="lines+markers",
            name="mean ± sd over trials",
            line={"color": colour("blue"), "width": 2.5},
            marker={"size": 9, "symbol": "square"},
            text=[
                f"{title} {'' if few else 'near '}{scalar(centre)}<br>mean {score(m)}, sd {score(s)}, {len(own)} trials"
                for (centre, own), m, s in zip(bins, means, spreads, strict=True)
            ],
            hoverinfo="text",
        )
    )
    made.update_yaxes(title_text=score_title(record), tickformat=".3~f")
    made.update_xaxes(title_text=title, type="log" if log else "linear")
    if few:
        distinct = sorted(set(values))
        made.update_xaxes(tickvals=distinct, ticktext=[scalar(v) for v in distinct])
    elif log:
        low, high = min(values), max(values)
        nice = [m * 10.0**e for e in range(-9, 10) for m in (1, 2, 5) if low <= m * 10.0**e <= high]
        if 2 <= len(nice) <= 12:
            made.update_xaxes(tickvals=nice, ticktext=[f"{v:g}" for v in nice])
    return made


def absent(record: StudyRecord, path: str, title: str) -> str:
    """Say why there is no figure."""
    if not scored_trials(record):
        return search_note(record)
    values = {v for _, v in _with_value(record, path)}
    return f"all trials had {title} {scalar(values.pop())}" if values else f"no trial has a {title}"
