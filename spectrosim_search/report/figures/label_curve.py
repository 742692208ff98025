"""What few labels are worth: the study's score over the share of labelled training spectra."""

from __future__ import annotations

import math
from statistics import fmean

import plotly.graph_objects as go

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import interval, metric_title, score, signed
from spectrosim_search.report.theme import colour, figure, translucent
from spectrosim_search.search.records import LabelPoint, StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Score over the share of labels"
ORDER = 44
SECTION = "result"
TASKS = ("pretrain",)
CAPTION = (
    "Winner, its counterpart without pretraining (or with it) and the three highest baselines, trained on the same "
    "labelled spectra and judged out of fold, with 95 % intervals. The winner was chosen on these spectra with all "
    "their labels, which flatters every point of it; a baseline chooses its settings on the labelled ones alone."
)

BASELINES = 3
_LOOKS = {  # kind → colours in order, dash, symbol
    "winner": (("blue",), "solid", "diamond"),
    "finalist": (("sky",), "dash", "circle"),
    "baseline": (("orange", "green", "purple"), "dot", "triangle-up"),
}
_SHIFT = 1.02  # neighbouring curves stand this factor apart, so that their bars do


def build(record: StudyRecord) -> go.Figure | None:
    """Draw one curve a method over a logarithmic axis of shares."""
    c = record.confirmation
    if c is None or not c.label_curve:
        return None
    metric = c.metric
    curves: dict[str, list[LabelPoint]] = {}
    for point in c.label_curve:
        curves.setdefault(point.method, []).append(point)
    shown = _shown(curves, metric)
    made = figure(height=420, showlegend=True)
    made.layout.meta["legend"] = "wide"
    left_out = len(curves) - len(shown)
    if left_out:
        made.layout.meta["note"] = f"Shown: {len(shown)} of {len(curves)} methods; the other baselines are lower."
    seen: dict[str, int] = {}
    for place, points in enumerate(shown):
        kind = points[0].kind
        hues, dash, symbol = _LOOKS[kind]
        hue = hues[seen.setdefault(kind, 0) % len(hues)]
        seen[kind] += 1
        estimates = [p.metrics[metric] for p in points]
        made.add_trace(
            go.Scatter(
                x=[p.share * _SHIFT ** (place - (len(shown) - 1) / 2) for p in points],
                y=[e.value for e in estimates],
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [e.high - e.value if math.isfinite(e.high) else 0.0 for e in estimates],
                    "arrayminus": [e.value - e.low if math.isfinite(e.low) else 0.0 for e in estimates],
                    "thickness": 1.2,
                    "width": 3,
                    "color": translucent(hue, 0.55),
                },
                mode="lines+markers",
                line={"color": colour(hue), "dash": dash},
                marker={"symbol": symbol, "size": 8, "color": colour(hue)},
                name=plot_text(points[0].title, 40),
                hovertext=[_told(p, metric) for p in points],
                hoverinfo="text",
            )
        )
    ticks = sorted({p.share for p in c.label_curve})
    made.update_xaxes(
        type="log",
        tickvals=ticks,
        ticktext=[f"{share:.3g}"[1:] if share < 1 else "all" for share in ticks],
        title_text="share of the training spectra whose class is known",
    )
    made.update_yaxes(title_text=metric_title(metric))
    return made


def _shown(curves: dict[str, list[LabelPoint]], metric: str) -> list[list[LabelPoint]]:
    """The curves that are drawn: all but the lower baselines, which is judged over the shares that all of them have."""
    rivals = [own for own in curves.values() if own[0].kind == "baseline"]
    common = set.intersection(*({p.share for p in own} for own in rivals)) if rivals else set()

    def height(own: list[LabelPoint]) -> float:
        values = [p.metrics[metric].value for p in own if p.share in common]
        return fmean(values) if values else -math.inf

    kept = sorted(rivals, key=height, reverse=True)[:BASELINES]
    return [own for own in curves.values() if own[0].kind != "baseline"] + kept


def _told(p: LabelPoint, metric: str) -> str:
    text = (
        f"{plot_text(p.title)}: {interval(p.metrics[metric])}<br>{p.share:.0%} of the labels, {p.labelled:.0f} spectra "
        f"a fold, {p.seeds or 1} seed{'s' if p.seeds > 1 else ''}"
    )
    if p.difference is None or not math.isfinite(p.difference.value):
        return text
    ahead = f"<br>winner ahead by {signed(p.difference.value)}"
    return text + ahead + f" [{score(p.difference.low)}, {score(p.difference.high)}]"


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    if record.confirmation is None:
        return "nothing is confirmed yet"
    return "the study asks for no curve over labels (confirmation.label_fractions)"
