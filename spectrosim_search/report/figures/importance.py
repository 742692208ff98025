"""How much of the variation of search scores each searched parameter stands for."""

from __future__ import annotations

import math
from collections.abc import Mapping

import plotly.graph_objects as go

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import score
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Importance of parameters"
ORDER = 130
SECTION = "search"
CAPTION = (
    "Share of the variation of search scores that goes with each parameter (PED-ANOVA, Watanabe et al. 2023), longest "
    "first. It ranks parameters inside the searched limits and says nothing about which value is good: see the slices."
)

_MOST = 24


def _shares(record: StudyRecord) -> list[tuple[str, float]]:
    given = record.design.get("importance")
    if not isinstance(given, Mapping):
        return []
    known = [(str(k), float(v)) for k, v in given.items() if isinstance(v, (int, float)) and math.isfinite(v)]
    return sorted(known, key=lambda kv: -kv[1])


def build(record: StudyRecord) -> go.Figure | None:
    """Draw `record.design["importance"]` (parameter → share) as bars."""
    shares = _shares(record)
    if not shares:
        return None
    shown = shares[:_MOST]
    made = figure(height=90 + 26 * len(shown))
    if len(shares) > _MOST:
        made.layout.meta["note"] = f"Shown: the first {_MOST} of {len(shares)} parameters."
    made.add_trace(
        go.Bar(
            x=[round(v, 5) for _, v in shown],
            y=list(range(len(shown))),
            orientation="h",
            marker={"color": colour("sky"), "line": {"width": 0}},
            text=[score(v, 2) for _, v in shown],
            textposition="outside",
            cliponaxis=False,
            hovertext=[f"{plot_text(k, 60)}<br>{score(v)}" for k, v in shown],
            hoverinfo="text",
        )
    )
    made.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[plot_text(k, 30) for k, _ in shown],
        range=[len(shown) - 0.4, -0.6],
        showgrid=False,
        ticks="",
    )
    made.update_xaxes(title_text="importance", rangemode="tozero", tickformat=".2~f")
    made.update_layout(bargap=0.35, margin_r=48)
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    if record.design.get("importance") is None:
        return "n/a: importance was not computed (it needs several finished trials and a parameter that varies)"
    return "n/a: no parameter has a defined importance"
