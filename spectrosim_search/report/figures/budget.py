"""What the search had to spend to pass the baselines."""

from __future__ import annotations

import math
from dataclasses import dataclass

import plotly.graph_objects as go

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import count, metric_title, score
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import score_title, scored_trials, search_note
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Budget to target"
ORDER = 114
SECTION = "search"
CAPTION = (
    "Best finished trial so far against the training runs spent on all trials until then, pruned ones included. Dotted "
    "lines are baselines, which need none; a mark shows where the search passed them. By search scores, which flatter, "
    "so a target is truly passed later or never."
)


@dataclass(frozen=True)
class _Step:
    """The best finished trial after so many training runs and epochs."""

    runs: int
    epochs: int
    trial: int
    value: float


def _steps(record: StudyRecord) -> tuple[list[_Step], int]:
    """Where the best rose, and all training runs of the search. A trial counts once its last run has ended."""
    values = {t.number: t.value for t in scored_trials(record) if t.complete}
    runs = sorted((r for r in record.replicates if r.phase == "search"), key=lambda r: r.started_at + r.total_seconds)
    ends = {r.trial_number: i for i, r in enumerate(runs) if r.trial_number in values}
    out: list[_Step] = []
    epochs = 0
    for i, r in enumerate(runs):
        epochs += len(r.loss)
        if r.trial_number is not None and ends.get(r.trial_number) == i:
            value = values[r.trial_number]
            if not out or value > out[-1].value:
                out.append(_Step(i + 1, epochs, r.trial_number, value))
    return out, len(runs)


def _targets(record: StudyRecord) -> list[tuple[str, float]]:
    """(title, score) of the best baseline and of the tuned or fixed linear metric."""
    c = record.confirmation
    if c is None or c.metric != record.study.metric:
        return []
    wanted = dict.fromkeys((c.verdict.best_baseline, "linear-metric-tuned", "linear-metric"))
    rows = {r.name: r for r in c.rows if r.kind == "baseline" and c.metric in r.metrics}
    found = [(rows[name].title, rows[name].metrics[c.metric].value) for name in wanted if name in rows]
    return sorted((f for f in found if math.isfinite(f[1])), key=lambda f: f[1])


def build(record: StudyRecord) -> go.Figure | None:
    """Draw the running best as a stair, the targets as lines, and where they were passed."""
    steps, runs = _steps(record)
    targets = _targets(record)
    if not steps or not targets:
        return None
    made = figure(height=400)
    made.add_trace(
        go.Scatter(
            x=[*(s.runs for s in steps), runs],
            y=[*(round(s.value, 5) for s in steps), round(steps[-1].value, 5)],
            mode="lines",
            line={"shape": "hv", "color": colour("ink"), "width": 2},
            name="best finished trial so far",
            text=[f"trial {s.trial} after {s.runs} runs, {s.epochs:,} epochs: {score(s.value)}" for s in steps] + [""],
            hoverinfo="text",
        )
    )
    told = []
    tones = {0: ("orange", "dot"), 1: ("purple", "dash"), 2: ("green", "dashdot")}
    for i, (title, value) in enumerate(targets):
        tone, dash = tones[i]
        made.add_trace(
            go.Scatter(
                x=[0, runs],
                y=[round(value, 5)] * 2,
                mode="lines",
                line={"color": colour(tone), "dash": dash, "width": 2},
                name=f"{plot_text(title)} {score(value)}",
                hoverinfo="name",
            )
        )
        passed = next((s for s in steps if s.value > value), None)
        if passed is None:
            told.append(f"{title}: not passed")
            continue
        told.append(f"{title}: after {count(passed.runs)} training runs, {count(passed.epochs)} epochs")
        made.add_trace(
            go.Scatter(
                x=[passed.runs],
                y=[round(value, 5)],
                mode="markers",
                showlegend=False,
                marker={"symbol": "circle", "size": 10, "color": colour(tone)},
                text=[f"passed by trial {passed.trial} after {passed.runs} training runs"],
                hoverinfo="text",
            )
        )
    held = record.confirmation is not None and record.confirmation.scoring == "hold-out"
    other = " The lines are scores on the held-out groups, which are not those of the search." if held else ""
    made.layout.meta["note"] = f"{'; '.join(told)}.{other}"
    made.update_xaxes(title_text="training runs of the search", range=[0, runs * 1.02])
    made.update_yaxes(title_text=score_title(record), tickformat=".3~f")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    if not scored_trials(record):
        return search_note(record)
    if record.confirmation is None:
        return "no baseline is scored before the confirmation"
    return f"no trial finished, or no baseline has a {metric_title(record.study.metric)}"
