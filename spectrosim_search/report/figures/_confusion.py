"""A square of shares: what is against what it was taken for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from spectrosim_search.report.theme import colour, figure

__all__ = ["confusion"]


def confusion(
    share: NDArray[np.float64],
    names: Sequence[str],
    texts: Sequence[Sequence[str]],
    *,
    height: int,
    colorbar: dict[str, Any],
    rows: str = "",
    columns: str = "",
) -> go.Figure:
    """Draw ``(n, n)`` shares from 0 to 1 (NaN stays empty); `texts` appear under the pointer."""
    made = figure(height=height)
    made.add_trace(
        go.Heatmap(
            z=np.round(share, 3),
            text=texts,
            hoverinfo="text",
            zmin=0,
            zmax=1,
            xgap=1,
            ygap=1,
            colorscale=[[0, colour("grid")], [0.5, colour("sky")], [1, colour("ink")]],
            colorbar={"thickness": 12, "tickformat": ".0%", "tickfont": {"color": colour("muted")}, **colorbar},
        )
    )
    ticks = {
        "tickvals": list(range(len(names))),
        "ticktext": list(names),
        "showgrid": False,
        "ticks": "",
        "tickfont_size": 10,
    }
    made.update_xaxes(tickangle=-90, title_text=columns or None, **ticks)
    made.update_yaxes(autorange="reversed", title_text=rows or None, **ticks)
    return made
