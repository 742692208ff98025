"""From the winner's search score to the score that is reported."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from spectrosim_search.report.headline import winner_row
from spectrosim_search.report.numbers import metric_title, score, signed
from spectrosim_search.report.seeds import fresh_score
from spectrosim_search.report.theme import colour, figure, translucent
from spectrosim_search.report.trials import scored_trials
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "What the winner's score is made of"
ORDER = 22
SECTION = "result"
CAPTION = (
    "The search score loses the luck of its training seeds when fresh ones are trained, then the luck of the groups it "
    "was chosen on: by the correction for the selection, or on groups held out of the search. The last mark, with its "
    "interval over groups, is the result; the dashed line is the best baseline."
)


def _stages(record: StudyRecord) -> list[tuple[str, float]]:
    """(name, score) from the search to the result, undefined ones left out."""
    c, row = record.confirmation, winner_row(record)
    if c is None or row is None or c.metric not in row.metrics:
        return []
    final = row.metrics[c.metric].value
    trial = next((t for t in scored_trials(record) if t.number == c.winner_trial), None)
    searched = trial.value if trial is not None and c.metric == record.study.metric else math.nan
    if c.scoring == "hold-out":
        fresh = fresh_score(record, c.winner_configuration_id) if c.metric == record.study.metric else math.nan
        last = ("held-out groups", final)
    else:
        fresh = final + c.verdict.optimism
        last = ("corrected for selection", final)
    stages = [("search", searched), ("fresh seeds", fresh), last]
    return [(name, value) for name, value in stages if math.isfinite(value)]


def build(record: StudyRecord) -> go.Figure | None:
    """Draw a stair of the stages with their differences, the last with its interval."""
    c, row, stages = record.confirmation, winner_row(record), _stages(record)
    if c is None or row is None or len(stages) < 2:
        return None
    estimate = row.metrics[c.metric]
    made = figure(height=380, showlegend=False)
    for i in range(1, len(stages)):
        before, now = stages[i - 1][1], stages[i][1]
        tone = "orange" if now < before else "green"
        middle, faint = i - 0.5, {"width": 1, "color": colour("faint")}
        made.add_shape(
            type="rect",
            x0=middle - 0.12,
            x1=middle + 0.12,
            y0=before,
            y1=now,
            line={"width": 1, "color": colour(tone)},
            fillcolor=translucent(tone, 0.35),
        )
        made.add_shape(type="line", x0=i - 1, x1=middle + 0.12, y0=before, y1=before, line=faint, layer="below")
        made.add_shape(type="line", x0=middle - 0.12, x1=i, y0=now, y1=now, line=faint, layer="below")
        made.add_annotation(x=middle, y=min(before, now), text=signed(now - before), yanchor="top")
    last = len(stages) - 1
    bars = [estimate.high - estimate.value, estimate.value - estimate.low]
    bars = [b if math.isfinite(b) else 0.0 for b in bars]
    made.add_trace(
        go.Scatter(
            x=list(range(len(stages))),
            y=[round(value, 5) for _, value in stages],
            error_y={
                "type": "data",
                "symmetric": False,
                "array": [*(0.0 for _ in range(last)), bars[0]],
                "arrayminus": [*(0.0 for _ in range(last)), bars[1]],
                "thickness": 2,
                "width": 5,
            },
            mode="markers+text",
            text=[f"<b>{score(value)}</b>" for _, value in stages],
            textposition="top right",
            textfont={"color": colour("ink"), "size": 13},
            marker={"symbol": "diamond", "size": 11, "color": colour("blue")},
            hoverinfo="skip",
        )
    )
    best = next((r for r in c.rows if r.name == c.verdict.best_baseline and c.metric in r.metrics), None)
    if best is not None and math.isfinite(best.metrics[c.metric].value):
        value = best.metrics[c.metric].value
        made.add_hline(y=value, line_dash="dash", line_width=1.5, line_color=colour("muted"))
        made.add_annotation(x=-0.58, y=value, xanchor="left", yanchor="top", text=f"best baseline {score(value)}")
    made.update_xaxes(
        tickvals=list(range(len(stages))), ticktext=[n for n, _ in stages], range=[-0.6, last + 0.6], showgrid=False
    )
    made.update_yaxes(title_text=metric_title(c.metric), tickformat=".3~f")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    c = record.confirmation
    if c is None:
        return "nothing is confirmed yet"
    return "there is no winner: too few groups to search" if winner_row(record) is None else "its stages are not known"
