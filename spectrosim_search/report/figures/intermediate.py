"""Running mean of each trial as it earned cells on the ladder."""

from __future__ import annotations

import plotly.graph_objects as go

from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import (
    ScoredTrial,
    label,
    score_title,
    scored_trials,
    search_note,
    thin,
    winner_name,
    winners,
)
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Intermediate values per cell"
ORDER = 120
SECTION = "search"
CAPTION = (
    "Running mean of a trial after each of its cells (fold × seed); dotted lines mark the rungs at which trials are "
    "judged and hollow marks where one was pruned. Lines that cross late mean that few cells do not rank trials surely."
)


def _path(trials: list[ScoredTrial]) -> tuple[list[float | None], list[float | None]]:
    """One polyline for many trials, with breaks between them: cheap to draw at any number."""
    x: list[float | None] = []
    y: list[float | None] = []
    for t in trials:
        for cells, value in sorted(t.trial.intermediate.items()):
            x.append(cells)
            y.append(round(float(value), 5))
        x.append(None)
        y.append(None)
    return x, y


def build(record: StudyRecord) -> go.Figure | None:
    """Draw running means of pruned and finished trials, the winner above them."""
    every = tuple(t for t in scored_trials(record) if t.trial.intermediate)
    if not every:
        return None
    trials, note = thin(every, 600)
    won = winners(record)
    groups = (
        ("pruned", [t for t in trials if not t.complete], "faint", 1.0, "solid"),
        ("finished", [t for t in trials if t.complete and t.number not in won], "sky", 1.25, "solid"),
        (
            f"{winner_name(record)} of the confirmation",
            [t for t in trials if t.complete and t.number in won],
            "blue",
            3.0,
            "solid",
        ),
    )
    made = figure(height=380)
    alone = sum(max(t.trial.intermediate) == 1 for t in every)
    single = f"{alone:,} of {len(every):,} trials ended after their first cell: marks without a line." if alone else ""
    made.layout.meta["note"] = f"{single} {note}".strip()
    for name, own, tone, width, dash in groups:
        if own:
            x, y = _path(own)
            made.add_trace(
                go.Scatter(
                    x=x,
                    y=y,
                    mode="lines",
                    name=name,
                    line={"color": colour(tone), "width": width, "dash": dash},
                    hoverinfo="skip",
                )
            )
    ends = [(t, max(t.trial.intermediate)) for t in trials]
    made.add_trace(
        go.Scatter(
            x=[cells for _, cells in ends],
            y=[round(float(t.trial.intermediate[cells]), 5) for t, cells in ends],
            mode="markers",
            showlegend=False,
            marker={
                "symbol": ["circle" if t.complete else "circle-open" for t, _ in ends],
                "size": 6,
                "color": [colour("sky" if t.complete else "muted") for t, _ in ends],
            },
            text=[label(t) for t, _ in ends],
            hoverinfo="text",
        )
    )
    most = max(cells for _, cells in ends)
    for rung in record.study.ladder.rungs:
        if rung <= most:
            made.add_vline(x=rung, line_dash="dot", line_width=1, layer="below")
    made.update_xaxes(title_text="finished cells", tick0=0, dtick=1 if most <= 15 else None)
    made.update_yaxes(title_text=score_title(record), tickformat=".3~f")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return search_note(record) if not scored_trials(record) else "no trial stored values per cell"
