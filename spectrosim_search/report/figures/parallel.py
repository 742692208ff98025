"""Every trial as a line through its parameter values.

Drawn with ordinary lines: Plotly's own parallel coordinates need WebGL, which remote desktops and printing often lack.
"""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.report.figures._axes import Scale
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import score
from spectrosim_search.report.parameters import foremost
from spectrosim_search.report.theme import colour, figure, translucent
from spectrosim_search.report.trials import ScoredTrial, scored_trials, search_note, thin, varied
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Parallel coordinates"
ORDER = 140
SECTION = "search"
CAPTION = (
    "A line is a trial, from its parameter values on the left to its score on the right; a line at 'not set' had no "
    "such parameter. Click a name in the legend to hide or show a class, twice to see it alone."
)

_NOT_SET = -0.14
_PIXELS_AN_AXIS = 96
_MOST_AXES = 10  # with the score as many as a page of ordinary width shows without scrolling


def _classes(trials: tuple[ScoredTrial, ...]) -> list[tuple[str, list[ScoredTrial], str, float, float]]:
    complete = sorted((t for t in trials if t.complete), key=lambda t: -t.value)
    first = max(1, round(len(complete) / 10)) if complete else 0
    second = max(first, round(len(complete) / 3))
    return [
        ("pruned", [t for t in trials if not t.complete], "faint", 1.0, 0.35 if len(trials) > 100 else 0.8),
        ("other finished", complete[second:], "muted", 1.0, 0.6),
        ("top third", complete[first:second], "orange", 1.5, 0.8),
        ("top tenth of finished", complete[:first], "blue", 2.5, 1.0),
    ]


def build(record: StudyRecord) -> go.Figure | None:
    """Draw up to 600 trials over the parameters that varied."""
    every = scored_trials(record)
    paths, chosen = foremost(record, every, varied(record, every), _MOST_AXES)
    if len(every) < 2 or not paths:
        return None
    trials, note = thin(every, 600)
    made = figure(height=480, wide=True)
    made.layout.meta.update({"note": f"{chosen} {note}".strip(), "min_width": _PIXELS_AN_AXIS * (len(paths) + 1) + 60})
    positions: dict[str, dict[int, float]] = {}
    any_unset = False
    for place, path in enumerate(paths):
        values: list[Scalar] = [t.trial.parameters[path] for t in every if path in t.trial.parameters]
        scale = Scale.of(record, path, values)
        coordinates = [scale.place(v) for v in values]
        low, high = min(coordinates), max(coordinates)
        width = (high - low) or 1.0
        positions[path] = {
            t.number: (scale.place(t.trial.parameters[path]) - low) / width
            for t in trials
            if path in t.trial.parameters
        }
        any_unset = any_unset or len(values) < len(every)
        for coordinate, text in zip(*scale.ticks(values, 5), strict=True):
            _tick(made, place, (coordinate - low) / width, plot_text(text, 16))
        room, _, name = path.rpartition(".")
        _name(made, place, plot_text(name, 17), plot_text(room.rpartition(".")[2], 16))
    scores = np.array([t.value for t in every])
    low, high = float(scores.min()), float(scores.max())
    width = (high - low) or 1.0
    last = len(paths)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        _tick(made, last, share, score(low + share * width))
    _name(made, last, "search score", "")
    for name, own, tone, thickness, opacity in _classes(trials):
        x: list[float | None] = []
        y: list[float | None] = []
        for t in own:
            x += [*range(len(paths)), last, None]
            y += [round(positions[p].get(t.number, _NOT_SET), 4) for p in paths]
            y += [round((t.value - low) / width, 4), None]
        if own:
            made.add_trace(
                go.Scatter(
                    x=x,
                    y=y,
                    mode="lines",
                    name=f"{name} ({len(own)})",
                    line={"color": colour(tone), "width": thickness},
                    opacity=opacity,
                    hoverinfo="skip",
                )
            )
    for place in range(last + 1):
        made.add_shape(type="line", x0=place, x1=place, y0=0, y1=1, line={"width": 1.5}, layer="below")
    for place, path in enumerate(paths):
        if len(positions[path]) < len(trials):
            _tick(made, place, _NOT_SET, "not set")
    made.update_xaxes(visible=False, range=[-0.45, last + 0.55])
    made.update_yaxes(visible=False, range=[-0.2 if any_unset else -0.06, 1.2])
    made.update_layout(margin={"l": 12, "r": 12, "t": 12, "b": 8}, legend_traceorder="reversed")
    return made


def _tick(made: go.Figure, place: float, share: float, text: str) -> None:
    made.add_annotation(
        x=place,
        y=share,
        text=text,
        xanchor="left",
        xshift=3,
        font={"size": 11, "color": colour("ink")},
        bgcolor=translucent("paper", 0.72),
        borderpad=0,
    )


def _name(made: go.Figure, place: float, name: str, room: str) -> None:
    text = f"<b>{name}</b>" + (f"<br>{room}" if room else "")
    made.add_annotation(x=place, y=1.05, yanchor="bottom", text=text, font={"size": 11, "color": colour("ink")})


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    every = scored_trials(record)
    if not every:
        return search_note(record)
    return "fewer than two scored trials, or no parameter varied among them"
