"""The critical-difference diagram: average ranks of methods over data sets (Demšar 2006, JMLR 7:1, figure 1)."""

from __future__ import annotations

import math

import plotly.graph_objects as go

from spectrosim_search.evaluation.critical_difference import CriticalDifference
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.theme import colour
from spectrosim_search.report.theme import figure as start

__all__ = ["figure"]

_STEP = 0.32  # distance between two names, in units of the drawing's height
_BAR = 0.22  # distance between two bars of methods that cannot be told apart


def figure(result: CriticalDifference) -> go.Figure:
    """Draw ranks on a line, rank 1 at the left, names below it, and bars over methods that cannot be told apart.

    Names of the better half stand at the left end, the others at the right; the bar above shows the critical distance.
    """
    methods = len(result.names)
    order = sorted(range(methods), key=lambda i: result.ranks[i])
    half = (methods + 1) // 2
    first = 0.35 + _BAR * len(result.cliques)
    depth = first + _STEP * half
    low, high = 1.0, float(methods)
    reach = 0.06 * max(high - low, 1.0)
    made = start(height=round(150 + 62 * depth), wide=True, showlegend=False)
    ink, faint = {"color": colour("ink"), "width": 1.5}, {"color": colour("faint"), "width": 1.2}

    def line(x0: float, y0: float, x1: float, y1: float, style: dict[str, object]) -> None:
        made.add_shape(type="line", x0=x0, y0=y0, x1=x1, y1=y1, line=style)

    for place, i in enumerate(order):
        left = place < half
        rank = result.ranks[i]
        y = -(first + _STEP * (place if left else methods - 1 - place))
        end = low - reach if left else high + reach
        line(rank, 0, rank, y, faint)
        line(rank, y, end, y, faint)
        name = f"{plot_text(result.names[i], 34)} <b>{rank:.2f}</b>"
        made.add_annotation(
            x=end,
            y=y,
            text=name,
            xanchor="right" if left else "left",
            xshift=-4 if left else 4,
            font={"color": colour("ink"), "size": 12},
        )
    for bar, clique in enumerate(result.cliques):
        ranks = [result.ranks[i] for i in clique]
        y, pad = -(0.2 + _BAR * bar), 0.15 * reach
        line(min(ranks) - pad, y, max(ranks) + pad, y, {"color": colour("blue"), "width": 6})
    line(low, 0, high, 0, ink)
    step = max(1, math.ceil((methods - 1) / 12))
    for tick in range(1, methods + 1, step):
        line(tick, 0, tick, 0.08, ink)
        made.add_annotation(x=tick, y=0.1, text=str(tick), yanchor="bottom")
    top = 0.62
    shown = min(result.distance, high - low)
    line(low, top, low + shown, top, {"color": colour("orange"), "width": 3})
    wider = " (wider than all ranks)" if result.distance > high - low else ""
    made.add_annotation(
        x=low, y=top, text=f"critical distance {result.distance:.2f}{wider}", xanchor="left", yanchor="bottom"
    )
    made.add_trace(
        go.Scatter(
            x=[result.ranks[i] for i in order],
            y=[0.0] * methods,
            mode="markers",
            marker={"size": 9, "color": colour("blue"), "symbol": "diamond"},
            text=[f"{plot_text(result.names[i])}: mean rank {result.ranks[i]:.2f}" for i in order],
            hoverinfo="text",
        )
    )
    side = 0.42 * (high - low) + reach
    made.update_xaxes(visible=False, range=[low - reach - side, high + reach + side])
    made.update_yaxes(visible=False, range=[-depth - 0.1, top + 0.35])
    made.layout.meta["min_width"] = 760
    return made
