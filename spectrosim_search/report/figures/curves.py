"""Validation score after each epoch."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.numbers import metric_title
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import scored_trials, search_note, winner_name, winners
from spectrosim_search.search.records import ReplicateRecord, StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Epoch curves"
ORDER = 180
SECTION = "search"
TASKS = ("same-batch",)
CAPTION = (
    "Mean score of the two validation halves after each epoch (0: before training): every trial on the first cell, "
    "which all share, and all cells of the winner or best trial. Marks show the epoch that each half was scored at: "
    "the other half's choice, or the last where the configuration says so."
)

_MOST = 150


def _path(replicates: list[ReplicateRecord]) -> tuple[list[float | None], list[float | None]]:
    x: list[float | None] = []
    y: list[float | None] = []
    for r in replicates:
        mean = r.curve.astype(np.float64).mean(axis=1)
        for epoch in np.flatnonzero(np.isfinite(mean)):
            x.append(int(epoch))
            y.append(round(float(mean[epoch]), 4))
        x.append(None)
        y.append(None)
    return x, y


def build(record: StudyRecord) -> go.Figure | None:
    """Draw epoch curves of up to 150 trials and of all cells of the leading one."""
    trials = scored_trials(record)
    drawn = [r for r in record.replicates if r.phase == "search" and r.curve.ndim == 2 and np.isfinite(r.curve).any()]
    if not trials or not drawn:
        return None
    won = winners(record)
    leading = won or (max(trials, key=lambda t: (t.complete, t.value)).number,)
    ranked = {t.number: place for place, t in enumerate(sorted(trials, key=lambda t: -t.value))}
    others = [r for r in drawn if r.cell == 0 and r.trial_number not in leading and r.trial_number in ranked]
    others.sort(key=lambda r: ranked.get(r.trial_number if r.trial_number is not None else -1, 0))
    own = [r for r in drawn if r.trial_number in leading]
    made = figure(height=400)
    if len(others) > _MOST:
        made.layout.meta["note"] = f"Shown: the best {_MOST} of {len(others):,} trials on the first cell."
    for name, some, tone, width, opacity in (
        ("other trials, first cell", others[:_MOST], "faint", 1.0, 0.6),
        (winner_name(record) if won else "best trial", own, "blue", 2.0, 0.85),
    ):
        x, y = _path(some)
        made.add_trace(
            go.Scatter(
                x=x,
                y=y,
                mode="lines",
                name=f"{name} ({len(some)} curves)",
                line={"color": colour(tone), "width": width},
                opacity=opacity,
                hoverinfo="skip",
            )
        )
    chosen = [(e, float(r.curve[e].mean())) for r in own for e in set(r.chosen_epochs) if 0 <= e < len(r.curve)]
    made.add_trace(
        go.Scatter(
            x=[e for e, _ in chosen],
            y=[round(v, 4) for _, v in chosen],
            mode="markers",
            name="chosen epochs",
            marker={"symbol": "diamond", "size": 7, "color": colour("orange")},
            hovertemplate="epoch %{x}, %{y:.3f}<extra></extra>",
        )
    )
    made.update_xaxes(title_text="epoch", rangemode="nonnegative")
    made.update_yaxes(title_text=f"validation {metric_title(record.study.metric)}", tickformat=".3~f")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return search_note(record) if not scored_trials(record) else "no replicate stored an epoch curve"
