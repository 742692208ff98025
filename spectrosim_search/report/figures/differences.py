"""Winner minus each other method, paired over groups."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from spectrosim_search.report.figures._forest import forest
from spectrosim_search.report.headline import only_fixed
from spectrosim_search.report.numbers import interval, metric_title, p_value
from spectrosim_search.report.table import ordered_methods
from spectrosim_search.report.theme import colour
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Winner against each method"
ORDER = 20
SECTION = "result"
CAPTION = (
    "Difference of the winner's score and the method's on the same groups, with its 95 % interval. Right of the solid "
    "line the winner is better; a lower end above the dashed line (-.05) is part of what 'not worse' asks for."
)


def build(record: StudyRecord) -> go.Figure | None:
    """Draw the paired differences of the result table."""
    c = record.confirmation
    if c is None:
        return None
    rows = [
        (
            row,
            row.difference,
            f"winner - method: {interval(row.difference, difference=True)}<br>adjusted p {p_value(row.p_adjusted)}",
        )
        for row in ordered_methods(record)
        if row.kind != "winner" and row.difference is not None and math.isfinite(row.difference.value)
    ]
    if not rows:
        return None
    made = forest(rows, "winner - method")
    made.layout.meta["note"] = f"Metric: {metric_title(c.metric)}."
    made.add_vline(x=0, line_width=1.5, line_color=colour("ink"))
    made.add_vline(x=-0.05, line_width=1.5, line_dash="dash", line_color=colour("faint"))
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    if only_fixed(record):
        return "there is no winner: nothing was searched"
    return "nothing is confirmed yet" if record.confirmation is None else "no difference could be computed"
