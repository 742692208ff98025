"""Search score of the best so far against what was confirmed of it.

Overtuning: the incumbent's search score rises while its score on new data falls (Schneider, Bischl and Feurer 2025,
Overtuning in hyperparameter optimization).
"""

from __future__ import annotations

import math
from statistics import fmean

import plotly.graph_objects as go

from spectrosim_search.report.numbers import metric_title, score, signed
from spectrosim_search.report.seeds import fresh_score
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import ScoredTrial, scored_trials, search_note
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Overtuning: search score against confirmed score"
ORDER = 112
SECTION = "search"
CAPTION = (
    "The line is the search score of the best finished trial so far. Filled marks are finalists trained again with "
    "fresh seeds, and judged on held-out groups where the study holds some out; nothing is known of other trials. "
    "Where they do not rise along with the line, the search fits its own folds."
)


def _held_out(record: StudyRecord, configuration_id: str) -> float:
    own = [r.score for r in record.finished("hold-out") if r.configuration_id == configuration_id]
    known = [s for s in own if math.isfinite(s)]
    return fmean(known) if known else math.nan


def _confirmed(record: StudyRecord, trials: list[ScoredTrial]) -> list[tuple[ScoredTrial, float, float]]:
    """(trial, score with fresh seeds, score on held-out groups) of those trained again; the first of equal ones."""
    retrained = {r.configuration_id for r in record.finished("confirm")}
    first: dict[str, ScoredTrial] = {}
    for t in trials:
        if t.trial.configuration_id in retrained:
            first.setdefault(t.trial.configuration_id, t)
    found = [(t, fresh_score(record, identity), _held_out(record, identity)) for identity, t in first.items()]
    return [f for f in found if math.isfinite(f[1])]


def build(record: StudyRecord) -> go.Figure | None:
    """Draw the running best, the confirmed scores, and what each lost."""
    trials = [t for t in scored_trials(record) if t.complete]
    confirmed = _confirmed(record, trials)
    if not confirmed:
        return None
    made = figure(height=400)
    best: list[ScoredTrial] = []
    for t in trials:
        if not best or t.value > best[-1].value:
            best.append(t)
    last = max(t.number for t in record.trials)
    made.add_trace(
        go.Scatter(
            x=[*(t.number for t in best), last],
            y=[*(round(t.value, 5) for t in best), round(best[-1].value, 5)],
            mode="lines",
            line={"shape": "hv", "color": colour("ink"), "width": 1.5, "dash": "dash"},
            name="best search score so far",
            hoverinfo="y",
        )
    )
    gaps_x: list[float | None] = []
    gaps_y: list[float | None] = []
    for t, fresh, held in confirmed:
        gaps_x += [t.number, t.number, None]
        gaps_y += [round(t.value, 5), round(held if math.isfinite(held) else fresh, 5), None]
    made.add_trace(
        go.Scatter(
            x=gaps_x, y=gaps_y, mode="lines", line={"color": colour("faint"), "width": 2}, showlegend=False,
            hoverinfo="skip",
        )
    )  # fmt: skip
    kinds: list[tuple[str, str, str, list[tuple[ScoredTrial, float]]]] = [
        ("search score of a finalist", "circle-open", "ink", [(t, t.value) for t, _, _ in confirmed]),
        ("fresh seeds", "circle", "sky", [(t, fresh) for t, fresh, _ in confirmed]),
        ("held-out groups", "diamond", "blue", [(t, held) for t, _, held in confirmed if math.isfinite(held)]),
    ]
    for name, symbol, tone, marks in kinds:
        if marks:
            made.add_trace(
                go.Scatter(
                    x=[t.number for t, _ in marks],
                    y=[round(v, 5) for _, v in marks],
                    mode="markers",
                    name=name,
                    marker={"symbol": symbol, "size": 9, "color": colour(tone), "line": {"width": 1.5}},
                    text=[
                        f"trial {t.number}: {score(v)} ({signed(v - t.value)} to its search score)" for t, v in marks
                    ],
                    hoverinfo="text",
                )
            )
    drop = fmean(t.value - fresh for t, fresh, _ in confirmed)
    made.layout.meta["note"] = (
        f"{len(confirmed)} of {len(trials)} finished trials were trained again; their mean changed by {signed(-drop)}."
    )
    pad = 0.015 * last + 0.3
    made.update_xaxes(title_text="trial", range=[-pad, last + pad])
    made.update_yaxes(title_text=metric_title(record.study.metric), tickformat=".3~f")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return "no trial was trained again with fresh seeds yet" if scored_trials(record) else search_note(record)
