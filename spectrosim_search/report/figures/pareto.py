"""Search score against every other objective, with the Pareto front marked."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from spectrosim_search.report.front import objective_text
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
from spectrosim_search.search.objectives import OBJECTIVES, titled
from spectrosim_search.search.pareto import pareto_trials
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Pareto front: score against what it costs"
ORDER = 195
SECTION = "search"
TASKS = ("same-batch",)
CAPTION = (
    "Each panel sets the search score of the trials against one other objective. Marks with a dark rim are on the "
    "front: no finished trial is at least as good on all objectives and better on one. With three objectives a trial "
    "of the front can look beaten in a single panel."
)

_GAP = 0.09


def build(record: StudyRecord) -> go.Figure | None:
    """Draw a panel for each objective beside the score; the page lays panels out anew for narrow screens."""
    others = record.study.objectives[1:]
    every = tuple(t for t in scored_trials(record) if all(n in t.trial.objectives for n in others))
    if not others or not every:
        return None
    trials, note = thin(every)
    on_front = {t.number for t in pareto_trials(record)}
    front = [t for t in every if t.number in on_front]
    shown = {t.number for t in trials}
    trials = (*trials, *(t for t in front if t.number not in shown))
    made = figure(height=400, wide=len(others) > 1)
    upright = f"Upright axis: {score_title(record)}." if len(others) > 1 else ""
    made.layout.meta.update({"note": f"{upright} {note}".strip(), "panels": len(others), "panel_height": 330})
    width = (1 - _GAP * (len(others) - 1)) / len(others)
    low, high = min(t.value for t in every), max(t.value for t in every)
    pad = 0.05 * ((high - low) or 1.0)
    for i, name in enumerate(others):
        suffix = "" if i == 0 else str(i + 1)
        for trace in _traces(record, name, trials, on_front, legend=i == 0):
            made.add_trace(trace.update(xaxis=f"x{suffix}", yaxis=f"y{suffix}"))
        if len(others) == 1 and len(front) > 1:
            made.add_trace(_steps(name, front))
        values = [t.trial.objectives[name] for t in every]
        logarithmic = min(values) > 0 and max(values) > 5 * min(values)
        made.update_layout(
            {
                f"xaxis{suffix}": {
                    "domain": [i * (width + _GAP), i * (width + _GAP) + width],
                    "anchor": f"y{suffix}",
                    "title": {"text": titled(name)},
                    "type": "log" if logarithmic else "linear",
                    "nticks": 6,
                },
                f"yaxis{suffix}": {
                    "anchor": f"x{suffix}",
                    "range": [low - pad, high + pad],
                    "tickformat": ".3~f",
                    "title": {"text": "" if upright else score_title(record)},
                },
            }
        )
    return made


def _traces(
    record: StudyRecord, name: str, trials: tuple[ScoredTrial, ...], on_front: set[int], *, legend: bool
) -> list[go.Scatter]:
    won = winners(record)
    classes = (
        ("pruned", [t for t in trials if not t.complete], "circle-open", "muted", 6),
        ("finished", [t for t in trials if t.complete and t.number not in on_front], "circle", "sky", 7),
        ("on the front", [t for t in trials if t.number in on_front and t.number not in won], "circle", "orange", 10),
        (winner_name(record), [t for t in trials if t.complete and t.number in won], "diamond", "blue", 13),
    )
    traces = []
    for title, own, symbol, tone, size in classes:
        if not own:
            continue
        rim = [2.0 if t.number in on_front else 0.0 for t in own] if symbol != "circle-open" else 1.0
        traces.append(
            go.Scatter(
                x=[float(f"{t.trial.objectives[name]:.5g}") for t in own],
                y=[round(t.value, 5) for t in own],
                mode="markers",
                name=title,
                legendgroup=title,
                showlegend=legend,
                marker={
                    "symbol": symbol,
                    "size": size,
                    "color": colour(tone),
                    "line": {"color": colour("ink" if symbol != "circle-open" else tone), "width": rim},
                },
                text=[_text(t, t.number in on_front) for t in own],
                hoverinfo="text",
            )
        )
    return traces


def _text(t: ScoredTrial, front: bool) -> str:
    lines = [
        f"{OBJECTIVES[n].title}: {objective_text(n, v)} {OBJECTIVES[n].unit}".strip()
        for n, v in t.trial.objectives.items()
        if n != "score"
    ]
    measured = t.trial.measured_inference
    if measured is not None and math.isfinite(measured):
        lines.append(f"inference measured: {measured:.3g} ms for 64 spectra")
    return "<br>".join([label(t), *lines, *(["on the Pareto front"] if front else [])])


def _steps(name: str, front: list[ScoredTrial]) -> go.Scatter:
    """With two objectives the front is a staircase."""
    ordered = sorted(front, key=lambda t: t.trial.objectives[name])
    return go.Scatter(
        x=[float(f"{t.trial.objectives[name]:.5g}") for t in ordered],
        y=[round(t.value, 5) for t in ordered],
        mode="lines",
        line={"shape": "hv", "color": colour("ink"), "width": 1.5, "dash": "dash"},
        name="front",
        hoverinfo="skip",
    )


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    if len(record.study.objectives) < 2:
        return "the study was searched for its score alone (run it with --objectives score,inference_time,parameters)"
    return search_note(record)
