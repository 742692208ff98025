"""Search score against each searched parameter, one small panel a parameter."""

from __future__ import annotations

import plotly.graph_objects as go

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.report.figures._axes import Scale, spread_out
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.parameters import foremost, short_path
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import label, score_title, scored_trials, search_note, thin, varied
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Slices: score against each parameter"
ORDER = 150
SECTION = "search"
CAPTION = (
    "Each panel shows all trials against one parameter while the others vary too; filled marks finished, hollow ones "
    "were pruned. The sampler visits promising values more often: crowding shows where it looked, height shows what it "
    "found."
)

_COLUMNS = 3
_PANEL = 230  # pixels of height of a row of panels
_MOST_PANELS = 12


def _domain(place: int, count: int, gap: float) -> list[float]:
    width = (1 - gap * (count - 1)) / count
    return [place * (width + gap), place * (width + gap) + width]


def build(record: StudyRecord) -> go.Figure | None:
    """Draw panels on a grid; the page lays the grid out anew for narrow screens (``meta.panels``)."""
    every = scored_trials(record)
    paths, chosen = foremost(record, every, varied(record, every), _MOST_PANELS)
    if len(every) < 2 or not paths:
        return None
    trials, note = thin(every, 800)
    columns = min(_COLUMNS, len(paths))
    rows = -(-len(paths) // columns)
    made = figure(height=_PANEL * rows + 40, wide=True, showlegend=False)
    made.layout.meta.update(
        {
            "note": " ".join(t for t in (f"Upright axis: {score_title(record)}.", chosen, note) if t),
            "panels": len(paths),
            "panel_height": _PANEL,
        }
    )
    low, high = min(t.value for t in every), max(t.value for t in every)
    pad = 0.05 * ((high - low) or 1.0)
    for i, path in enumerate(paths):
        own = [t for t in trials if path in t.trial.parameters]
        values: list[Scalar] = [t.trial.parameters[path] for t in own]
        scale = Scale.of(record, path, values)
        offsets = spread_out(len(own)) if scale.categories else [0.0] * len(own)
        suffix = "" if i == 0 else str(i + 1)
        made.add_trace(
            go.Scatter(
                x=[round(scale.place(v) + o, 5) for v, o in zip(values, offsets, strict=True)],
                y=[round(t.value, 5) for t in own],
                mode="markers",
                xaxis=f"x{suffix}",
                yaxis=f"y{suffix}",
                marker={
                    "symbol": ["circle" if t.complete else "circle-open" for t in own],
                    "size": 6,
                    "color": [colour("blue" if t.complete else "muted") for t in own],
                    "opacity": 0.75,
                },
                text=[
                    f"{plot_text(path)} = {plot_text(str(v))}<br>{label(t)}" for t, v in zip(own, values, strict=True)
                ],
                hoverinfo="text",
            )
        )
        ticks, texts = scale.ticks(values)
        row, column = divmod(i, columns)
        made.update_layout(
            {
                f"xaxis{suffix}": {
                    "domain": _domain(column, columns, 0.07),
                    "anchor": f"y{suffix}",
                    "tickvals": ticks,
                    "ticktext": [plot_text(t, 12) for t in texts],
                    "range": [-0.6, len(scale.categories) - 0.4] if scale.categories else None,
                },
                f"yaxis{suffix}": {
                    "domain": _domain(rows - 1 - row, rows, 0.28 / rows),
                    "anchor": f"x{suffix}",
                    "range": [low - pad, high + pad],
                    "tickformat": ".3~f",
                    "nticks": 5,
                },
            }
        )
        made.add_annotation(
            x=0, xref=f"x{suffix} domain", y=1, yref=f"y{suffix} domain", xanchor="left", yanchor="bottom",
            text=f"<b>{plot_text(short_path(path, 34), 34)}</b>", yshift=2,
        )  # fmt: skip
    made.update_layout(margin={"l": 48, "t": 30})
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return "no parameter varied among the scored trials" if scored_trials(record) else search_note(record)
