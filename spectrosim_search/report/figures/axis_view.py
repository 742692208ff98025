"""Where along the axis the winner looks."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import score
from spectrosim_search.report.theme import colour, figure, translucent
from spectrosim_search.search.records import AxisView, StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Where along the axis the winner looks"
ORDER = 62
SECTION = "result"
TASKS = ("same-batch",)
CAPTION = (
    "Above: mean spectrum as the model gets it, and Grad-CAM where its encoder has tokens. Below: integrated "
    "gradients, how much each channel makes spectra of one batch more alike than spectra of two (out of fold; band: "
    "seeds). It shows what a model uses, not what is chemically so."
)

_PARTS = 32  # neighbouring channels say the same, so that a model may use any of them: regions are compared as well
_STEADY, _LOOSE = 0.6, 0.3  # rank correlations below which no single peak, and nothing at all, should be read
_NOTHING = ": the seeds do not agree, so nothing should be read off"


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Spearman's rank correlation of two profiles ``(C,)``; NaN where one is constant."""
    from scipy.stats import rankdata

    first, second = rankdata(a), rankdata(b)
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return math.nan
    return float(np.corrcoef(first, second)[0, 1])


def _mean(values: list[float]) -> float:
    known = [v for v in values if math.isfinite(v)]
    return sum(known) / len(known) if known else math.nan


def _parts(profiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Profiles ``(S, C)`` summed over neighbouring channels: ``(S, 32)``, or ``(S, C)`` of few channels."""
    starts = np.unique(np.linspace(0, profiles.shape[1], _PARTS, endpoint=False).astype(np.int64))
    return np.asarray(np.add.reduceat(profiles, starts, axis=1))


def _checks(view: AxisView) -> str:
    """What the two checks say, in words."""
    fine = _mean([_correlation(a, b) for a, b in combinations(view.gradients, 2)])
    learnt, random = _parts(view.gradients), _parts(view.shuffled)
    steady = _mean([_correlation(a, b) for a, b in combinations(learnt, 2)])
    blind = _mean([_correlation(a, b) for a, b in zip(learnt, random)])
    if math.isfinite(steady):
        told = (
            f"Rank correlation between the attributions of {len(learnt)} seeds: {score(fine, 2)} channel by channel, "
            f"{score(steady, 2)} over {learnt.shape[1]} parts of the axis"
        )
        told += "" if steady >= _STEADY else ": read the regions, no single peak" if steady >= _LOOSE else _NOTHING
    else:
        told = "Agreement between seeds: n/a"
    told += f". With shuffled weights: {score(blind, 2)}"
    if math.isfinite(steady) and blind > max(steady / 2, _LOOSE):
        told += ", so much of the picture comes from the spectra and not from what was learnt"
    return f"{told}. {view.pairs} pairs; their sums of attributions are off by {view.gap:.2%}."


def build(record: StudyRecord) -> go.Figure | None:
    """Draw the mean spectrum and, below it on the same axis, the attributions."""
    view = record.confirmation.axis_view if record.confirmation is not None else None
    if view is None:
        return None
    made = figure(height=520, wide=True)
    made.layout.meta["note"] = _checks(view)
    x = np.round(view.axis, 4)
    mean, low, high = view.gradients.mean(axis=0), view.gradients.min(axis=0), view.gradients.max(axis=0)
    made.add_trace(
        go.Scatter(
            x=x,
            y=_rounded(view.spectrum),
            mode="lines",
            line={"color": colour("ink"), "width": 1.5},
            name="mean spectrum, preprocessed",
            yaxis="y2",
            hovertemplate="%{x}: %{y:.3g}<extra>mean spectrum</extra>",
        )
    )
    if len(view.activations):
        made.add_trace(
            go.Scatter(
                x=x,
                y=_rounded(view.activations.mean(axis=0)),
                mode="lines",
                line={"color": colour("green"), "width": 1, "shape": "hvh"},
                fill="tozeroy",
                fillcolor=translucent("green", 0.15),
                name="Grad-CAM (right axis)",
                yaxis="y3",
                hovertemplate="%{x}: %{y:.2f}<extra>Grad-CAM</extra>",
            )
        )
    made.add_trace(
        go.Scatter(
            x=np.concatenate([x, x[::-1]]),
            y=_rounded(np.concatenate([high, low[::-1]])),
            fill="toself",
            fillcolor=translucent("blue", 0.2),
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
        )
    )
    for values, name, tone, width, dash in (
        (mean, "integrated gradients, mean over seeds", "blue", 2.0, "solid"),
        (view.shuffled.mean(axis=0), "with shuffled weights", "orange", 1.0, "dot"),
    ):
        made.add_trace(
            go.Scatter(
                x=x,
                y=_rounded(values),
                mode="lines",
                line={"color": colour(tone), "width": width, "dash": dash},
                name=name,
                hovertemplate="%{x}: %{y:.2g}" + f"<extra>{name}</extra>",
            )
        )
    made.add_hline(y=0, line_width=1, line_color=colour("faint"))
    unit = record.dataset.axis_unit
    # Wavenumbers are drawn falling, as spectroscopists read them.
    turned = {"autorange": "reversed"} if unit.replace("⁻¹", "-1").replace("^", "") == "cm-1" else {}
    made.update_xaxes(title_text=f"axis ({plot_text(unit)})" if unit else "axis", anchor="y", tickformat="~r", **turned)
    made.update_yaxes(title_text="attribution", tickformat=".2~g", domain=[0, 0.52])
    made.update_layout(
        yaxis2={"domain": [0.6, 1], "title": {"text": "preprocessed intensity"}, "tickformat": ".2~g", "anchor": "x"},
        yaxis3={
            "domain": [0.6, 1],
            "overlaying": "y2",
            "side": "right",
            "range": [0, 1],
            "tickvals": [0, 0.5, 1],
            "title": {"text": "Grad-CAM"},
            "showgrid": False,
            "anchor": "x",
            "visible": bool(len(view.activations)),
        },
    )
    return made


def _rounded(values: NDArray[np.floating]) -> list[float]:
    """Four significant digits: more would be bytes and no picture."""
    return [float(f"{v:.4g}") for v in values.tolist()]


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    c = record.confirmation
    if c is None:
        return "nothing is confirmed yet"
    if not c.pairs:
        return "no model was trained"
    if not record.study.confirmation.axis_view:
        return "the study asked for none (confirmation.axis_view)"
    return "too few pairs were found by all seeds, or the confirmation is older than this figure"
