"""What each worker did when."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import duration
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.search.records import ReplicateRecord, StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Timeline of workers"
ORDER = 310
SECTION = "process"
CAPTION = (
    "A bar is a training run; gaps are waiting. Times in which nobody worked (the study was interrupted) are cut out "
    "and marked by dotted lines."
)

_MOST_WORKERS = 40
_MOST_BARS = 2500
_MOST_NAMED_PAUSES = 3
_PHASES = {
    "search": ("search", "sky"),
    "confirm": ("confirmation", "green"),
    "hold-out": ("held-out groups", "purple"),
    "stop-on-test": ("stopped on test pairs", "orange"),
    "bad": ("diverged or failed", "red"),
}

Bar = tuple[str, str, float, float, int]  # worker, kind, begin, end, replicates


def _bars(replicates: list[ReplicateRecord]) -> list[Bar]:
    """One bar a replicate; beyond `_MOST_BARS` neighbours of one worker and kind are drawn as one."""
    bars: list[Bar] = []
    for r in sorted(replicates, key=lambda r: (r.worker, r.started_at)):
        kind: str = "bad" if r.status in ("diverged", "failed") else r.phase
        bars.append((r.worker, kind, r.started_at, r.started_at + r.total_seconds, 1))
    if len(bars) <= _MOST_BARS:
        return bars
    span = max(b[3] for b in bars) - min(b[2] for b in bars)
    step = span / _MOST_BARS
    merged: list[Bar] = []
    for worker, kind, begin, end, one in bars:
        if (
            merged
            and merged[-1][:2] == (worker, kind)
            and begin - merged[-1][3] < step
            and end - merged[-1][2] < 8 * step
        ):
            merged[-1] = (worker, kind, merged[-1][2], max(end, merged[-1][3]), merged[-1][4] + one)
        else:
            merged.append((worker, kind, begin, end, one))
    return merged


def _pauses(bars: list[Bar]) -> list[tuple[float, float]]:
    """Spans of more than a minute, and more than a twentieth of the work, in which no worker was busy."""
    spans = sorted((b[2], b[3]) for b in bars)
    idle: list[tuple[float, float]] = []
    reached = spans[0][1]
    for begin, end in spans:
        if begin > reached:
            idle.append((reached, begin))
        reached = max(reached, end)
    busy = reached - spans[0][0] - sum(e - b for b, e in idle)
    return [(b, e) for b, e in idle if e - b > max(60.0, 0.05 * busy)]


def build(record: StudyRecord) -> go.Figure | None:
    """Draw replicates as bars, workers as rows; the axis counts working time from the first start."""
    timed = [r for r in record.replicates if math.isfinite(r.started_at) and math.isfinite(r.total_seconds)]
    if not timed:
        return None
    bars = _bars(timed)
    pauses = _pauses(bars)
    zero = min(b[2] for b in bars)

    def working(moment: float) -> float:
        """Seconds of working time before a moment; pauses count as nothing."""
        return moment - zero - sum(max(0.0, min(moment, e) - b) for b, e in pauses if b < moment)

    span = max(working(b[3]) for b in bars)
    unit, name = (60.0, "min") if span > 180 else (1.0, "s")
    workers = sorted({b[0] for b in bars})[:_MOST_WORKERS]
    row = {w: i for i, w in enumerate(workers)}
    made = figure(height=120 + 34 * len(workers), wide=True, barmode="overlay", bargap=0.25)
    note = f"Workers spent {100 * _share(timed, span):.0f} % of the working time in training runs."
    more = len({b[0] for b in bars}) - len(workers)
    made.layout.meta["note"] = f"{note} {more} more workers are not shown." if more else note
    for kind, (title, tone) in _PHASES.items():
        own = [b for b in bars if b[1] == kind and b[0] in row]
        if own:
            made.add_trace(
                go.Bar(
                    orientation="h",
                    y=[row[b[0]] for b in own],
                    base=[round(working(b[2]) / unit, 4) for b in own],
                    x=[round((b[3] - b[2]) / unit, 4) for b in own],
                    name=title,
                    marker={"color": colour(tone), "line": {"width": 0.5, "color": colour("paper")}},
                    text=[
                        f"{plot_text(b[0])}<br>{title}, {b[4]} run{'s' if b[4] > 1 else ''}<br>{duration(b[3] - b[2])}"
                        for b in own
                    ],
                    hoverinfo="text",
                    textposition="none",
                )
            )
    for begin, end in pauses:
        made.add_vline(x=working(begin) / unit, line_dash="dot", line_width=2, line_color=colour("muted"))
        if len(pauses) <= _MOST_NAMED_PAUSES:
            length = end - begin if end - begin < 600 else 60.0 * round((end - begin) / 60)
            made.add_annotation(
                x=working(begin) / unit, y=1, yref="y domain", yanchor="bottom", text=f"pause {duration(length)}"
            )
    made.update_yaxes(
        tickvals=list(range(len(workers))),
        ticktext=[plot_text(w, 18) for w in workers],
        range=[len(workers) - 0.4, -0.6],
        showgrid=False,
        ticks="",
    )
    made.update_xaxes(title_text=f"working time since the first training run, {name}", rangemode="tozero")
    if pauses:
        made.update_layout(legend_y=1.14)
    return made


def _share(timed: list[ReplicateRecord], span: float) -> float:
    """Part of (workers × working time) covered by training runs."""
    workers = len({r.worker for r in timed})
    return min(1.0, sum(r.total_seconds for r in timed) / (workers * span)) if span > 0 else 0.0


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return "no training run has been recorded" if not record.replicates else "no training run stored its times"
