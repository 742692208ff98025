"""Made spectra over real ones of the same class."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray
from plotly.subplots import make_subplots

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import score
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Made spectra over real ones"
ORDER = 47
SECTION = "result"
TASKS = ("synthesis",)
CAPTION = (
    "Above the line a spectrum that the winner made, below it a real one of the same class that it was not shown: of "
    "the classes that are most, median and least similar on average the pair of median similarity. A copy of a "
    "training spectrum has novelty 0."
)

_FAINT = 0.2  # of a base peak of 100: what is lower would be no line on the screen
_PANEL = 190


def _lines(axis: NDArray[np.float64], heights: NDArray[np.float32], sign: int) -> tuple[list[float | None], ...]:
    """Vertical lines as one path with gaps: places and heights."""
    x: list[float | None] = []
    y: list[float | None] = []
    for i in np.flatnonzero(heights > _FAINT):
        x += [float(f"{axis[i]:.6g}")] * 2 + [None]
        y += [0.0, sign * round(float(heights[i]), 1), None]
    return x, y


def build(record: StudyRecord) -> go.Figure | None:
    """Draw one panel a class."""
    c = record.confirmation
    shown = c.mirrored if c is not None else None
    if c is None or shown is None:
        return None
    count = len(shown.classes)
    made = figure(height=140 + _PANEL * count)
    titles = [
        f"{plot_text(c.class_names[code], 30)}: class {shown.ranks[i] + 1} of {shown.ranked:,}, weighted cosine "
        f"{score(shown.similarity[i], 2)} (class mean {score(shown.class_similarity[i], 2)}), "
        f"novelty {score(shown.novelty[i], 2)}"
        for i, code in enumerate(shown.classes.tolist())
    ]
    grid = make_subplots(rows=count, cols=1, shared_xaxes=True, subplot_titles=titles, vertical_spacing=0.25 / count)
    grid.update_layout(made.layout, overwrite=False)
    grid.layout.height = made.layout.height
    grid.layout.margin.t = 56  # legend above the title of the first panel
    grid.layout.legend.y = 1 + 22 / (_PANEL * count)
    grid.layout.meta = {**(made.layout.meta or {}), "wide": True}
    for place in range(count):
        for name, heights, sign, tone in (
            ("made by the winner", shown.made[place], 1, "blue"),
            ("real, not shown to it", shown.real[place], -1, "orange"),
        ):
            x, y = _lines(shown.axis, heights, sign)
            grid.add_trace(
                go.Scatter(
                    x=x,
                    y=y,
                    mode="lines",
                    line={"color": colour(tone), "width": 1.5},
                    name=name,
                    legendgroup=name,
                    showlegend=place == 0,
                    hovertemplate="%{x}: %{y}<extra>" + name + "</extra>",
                ),
                row=place + 1,
                col=1,
            )
    grid.add_hline(y=0, line_width=1, line_color=colour("faint"))
    grid.update_yaxes(range=[-108, 108], tickvals=[-100, 0, 100], ticktext=["100", "0", "100"])
    unit = record.dataset.axis_unit
    grid.update_xaxes(title_text=f"axis ({plot_text(unit)})" if unit else "axis", row=count, col=1)
    grid.update_annotations(font_size=12)
    return grid


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    if record.confirmation is None:
        return "nothing is confirmed yet"
    return "the winner made no spectra, or the confirmation is older than this figure"
