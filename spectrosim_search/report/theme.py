"""Colours and the Plotly template of every figure, once for light and once for dark surroundings.

Figures are built with the light colours. The page exchanges each of them for its dark partner when the reader's
system asks for it, so every light value must be unique. Hues follow Okabe and Ito (2008), told apart with
every common form of colour blindness; no meaning rests on hue alone (symbols, dashes and words repeat it).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

__all__ = ["COLOURS", "KIND_COLOURS", "KIND_SYMBOLS", "colour", "dark_partners", "figure", "template", "translucent"]

COLOURS: Mapping[str, tuple[str, str]] = {
    # name: (light, dark)
    "ink": ("#1b1f26", "#e7eaf0"),
    "muted": ("#5b6470", "#a3adba"),
    "faint": ("#b4bcc7", "#515a67"),
    "grid": ("#e6e9ee", "#2c323c"),
    "paper": ("#ffffff", "#171b22"),
    "blue": ("#0064b4", "#63b3ff"),
    "sky": ("#3d94d1", "#5c8fb8"),
    "orange": ("#b65700", "#f2a457"),
    "green": ("#00795f", "#45cfa8"),
    "purple": ("#8a4799", "#d9a0e8"),
    "red": ("#b3261e", "#ff8f85"),
}

KIND_COLOURS: Mapping[str, str] = {
    "winner": "blue",
    "finalist": "sky",
    "preset": "green",
    "baseline": "orange",
    "oracle": "purple",
    "audit": "muted",
}

KIND_SYMBOLS: Mapping[str, str] = {
    "winner": "diamond",
    "finalist": "circle",
    "preset": "square",
    "baseline": "triangle-up",
    "oracle": "star",
    "audit": "x",
}


def _channels(colour_hex: str) -> str:
    return ", ".join(str(int(colour_hex[i : i + 2], 16)) for i in (1, 3, 5))


def colour(name: str, *, dark: bool = False) -> str:
    """Return a colour of the palette as ``#rrggbb``."""
    return COLOURS[name][1 if dark else 0]


def translucent(name: str, alpha: float) -> str:
    """Return a colour of the palette as ``rgba(r, g, b, alpha)``."""
    return f"rgba({_channels(colour(name))}, {alpha:g})"


def dark_partners() -> list[tuple[str, str]]:
    """Return (light, dark) texts to exchange in a figure's JSON, in both notations."""
    pairs: list[tuple[str, str]] = []
    for light, dark in COLOURS.values():
        pairs.append((light, dark))
        pairs.append((f"rgba({_channels(light)},", f"rgba({_channels(dark)},"))
    return pairs


def template(*, dark: bool = False) -> dict[str, Any]:
    """Return the Plotly template: quiet axes, system fonts, transparent ground."""

    def tone(name: str) -> str:
        return colour(name, dark=dark)

    axis = {
        "gridcolor": tone("grid"),
        "linecolor": tone("faint"),
        "zerolinecolor": tone("grid"),
        "tickcolor": tone("faint"),
        "automargin": True,
        "ticks": "outside",
        "ticklen": 4,
        "title": {"standoff": 10, "font": {"size": 13, "color": tone("muted")}},
        "tickfont": {"size": 12, "color": tone("muted")},
    }
    return {
        "layout": {
            "font": {"family": "system-ui, -apple-system, 'Segoe UI', sans-serif", "size": 13, "color": tone("ink")},
            "paper_bgcolor": "rgba(0,0,0,0)",
            "plot_bgcolor": "rgba(0,0,0,0)",
            "colorway": [tone(c) for c in ("blue", "orange", "green", "purple", "sky", "red")],
            "xaxis": axis,
            "yaxis": axis,
            "hoverlabel": {
                "bgcolor": tone("paper"),
                "bordercolor": tone("faint"),
                "font": {"color": tone("ink"), "size": 12},
                "align": "left",
            },
            "legend": {
                "orientation": "h",
                "yanchor": "bottom",
                "y": 1.02,
                "xanchor": "left",
                "x": 0,
                "font": {"size": 12, "color": tone("ink")},
                "bgcolor": "rgba(0,0,0,0)",
            },
            "margin": {"l": 56, "r": 16, "t": 16, "b": 48},
            "modebar": {"bgcolor": "rgba(0,0,0,0)", "color": tone("faint"), "activecolor": tone("muted")},
            "hovermode": "closest",
            "annotationdefaults": {"font": {"color": tone("muted"), "size": 12}, "showarrow": False},
            "shapedefaults": {"line": {"color": tone("faint")}},
        }
    }


def figure(*, height: int = 380, wide: bool = False, **layout: Any) -> go.Figure:
    """Start a figure in the light template.

    `height` is in pixels. `wide` figures take a whole row of the page. Other arguments go to the layout.
    """
    made = go.Figure(layout={"template": template(), "height": height, "meta": {"wide": wide}})
    made.update_layout(**layout)
    return made
