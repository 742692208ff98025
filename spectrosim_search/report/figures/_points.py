"""Trials as points: pruned, finished, and the winner of the confirmation."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import plotly.graph_objects as go

from spectrosim_search.report.theme import colour
from spectrosim_search.report.trials import ScoredTrial, label, winner_name, winners
from spectrosim_search.search.records import StudyRecord

__all__ = ["add_points"]


def add_points(
    made: go.Figure,
    record: StudyRecord,
    trials: Sequence[ScoredTrial],
    across: Callable[[ScoredTrial], float],
    words: Callable[[ScoredTrial], str],
) -> None:
    """Add the score of each trial against `across` to a figure; `words` go into the hover text behind its label."""
    won = winners(record)
    for name, own, symbol, tone, size in (
        ("pruned", [t for t in trials if not t.complete], "circle-open", "muted", 6),
        ("finished", [t for t in trials if t.complete and t.number not in won], "circle", "sky", 8),
        (winner_name(record), [t for t in trials if t.complete and t.number in won], "diamond", "blue", 12),
    ):
        if own:
            made.add_trace(
                go.Scatter(
                    x=[float(f"{across(t):.4g}") for t in own],
                    y=[round(t.value, 5) for t in own],
                    mode="markers",
                    name=name,
                    marker={"symbol": symbol, "size": size, "color": colour(tone)},
                    text=[f"{label(t)}<br>{words(t)}" for t in own],
                    hoverinfo="text",
                )
            )
