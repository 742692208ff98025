"""How much of the variation of search scores each searched parameter stands for."""

from __future__ import annotations

import plotly.graph_objects as go

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import score
from spectrosim_search.report.parameters import RARE, presence, shares, short_path
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import scored_trials
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Importance of parameters"
ORDER = 130
SECTION = "search"
CAPTION = (
    "Share of the variation of search scores that goes with each parameter (PED-ANOVA, Watanabe et al. 2023) inside "
    "the searched limits, longest first; which value is good it does not say: see the slices. Grey bars rest on few "
    "trials, counted in brackets: read them with doubt."
)

_MOST = 12


def build(record: StudyRecord) -> go.Figure | None:
    """Draw `record.design["importance"]` (parameter → share) as bars."""
    known = shares(record)
    if not known:
        return None
    shown = list(known.items())[:_MOST]
    trials = scored_trials(record)
    having = [presence(trials, k) for k, _ in shown]
    rare = [n < RARE * len(trials) for n in having]
    made = figure(height=90 + 26 * len(shown))
    if len(known) > _MOST:
        made.layout.meta["note"] = f"Shown: the first {_MOST} of {len(known)} parameters that have one."
    made.add_trace(
        go.Bar(
            x=[round(v, 5) for _, v in shown],
            y=list(range(len(shown))),
            orientation="h",
            marker={"color": [colour("faint" if r else "sky") for r in rare], "line": {"width": 0}},
            text=[
                score(v, 2) + (f" ({n} trial{'s' if n != 1 else ''})" if r else "")
                for (_, v), n, r in zip(shown, having, rare, strict=True)
            ],
            textposition="outside",
            cliponaxis=False,
            hovertext=[
                f"{plot_text(k, 60)}<br>{score(v)}<br>set in {n} of {len(trials)} trials"
                for (k, v), n in zip(shown, having, strict=True)
            ],
            hoverinfo="text",
        )
    )
    made.update_yaxes(
        tickvals=list(range(len(shown))),
        ticktext=[plot_text(short_path(k), 30) for k, _ in shown],
        range=[len(shown) - 0.4, -0.6],
        showgrid=False,
        ticks="",
    )
    made.update_xaxes(title_text="importance", rangemode="tozero", tickformat=".2~f")
    made.update_layout(bargap=0.35, margin_r=72)
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    if record.design.get("importance") is None:
        return "n/a: importance was not computed (it needs several finished trials and a parameter that varies)"
    return "n/a: no parameter has a defined importance"
