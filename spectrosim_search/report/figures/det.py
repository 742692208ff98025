"""Detection error trade-off: misses against false alarms on normal-deviate axes.

Source: Martin, Doddington, Kamm, Ordowski and Przybocki (1997), The DET curve in assessment of detection task
performance, Eurospeech.
"""

from __future__ import annotations

import math
from statistics import NormalDist, fmean

import numpy as np
import plotly.graph_objects as go
from numpy.typing import ArrayLike, NDArray

from spectrosim_search.evaluation.verification import equal_error_rate
from spectrosim_search.report.compared import compared
from spectrosim_search.report.marks import plot_text
from spectrosim_search.report.numbers import score
from spectrosim_search.report.pairs import mean_roc, usable
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.search.records import PairScores, StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "DET: misses against false alarms"
ORDER = 42
SECTION = "result"
TASKS = ("same-batch",)
CAPTION = (
    "The pairs of the ROC on normal-deviate axes, where similarities of normal distribution give straight lines; lower "
    "left is better. Marks on the diagonal are the equal error rates of the table: means over all sets of pairs, which "
    "need not lie on the averaged curve."
)

_TICKS = (0.001, 0.005, 0.02, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
_LOW, _HIGH = _TICKS[0], 0.85
_AT: NDArray[np.float64] = np.concatenate([[0.0], np.geomspace(_LOW, _HIGH, 160)])


def _deviate(rates: ArrayLike) -> list[float]:
    """Normal deviates of rates, those beyond the frame put on it."""
    inverse = NormalDist().inv_cdf
    return [round(inverse(float(r)), 4) for r in np.clip(np.asarray(rates, dtype=np.float64), _LOW, _HIGH)]


def _error_rate(name: str, pairs: tuple[PairScores, ...], record: StudyRecord) -> float:
    """The result table's equal error rate; the mean over the sets at hand of a method without a row."""
    for row in record.confirmation.rows if record.confirmation is not None else ():
        if (name == row.kind == "winner" or name == row.title) and "eer" in row.metrics:
            return row.metrics["eer"].value
    return fmean(equal_error_rate(p.similarity, p.positive) for p in usable(pairs))


def build(record: StudyRecord) -> go.Figure | None:
    """Draw miss rates averaged over the sets at equal false alarm rate."""
    made = figure(height=420)
    drawn = 0
    for name, pairs, tone, dash in compared(record):
        curve = mean_roc(pairs, _AT)
        if curve is None:
            continue
        miss = 1 - curve[0][1:]
        rate = _error_rate(name, pairs, record)
        title = plot_text(name)
        made.add_trace(
            go.Scatter(
                x=_deviate(_AT[1:]),
                y=_deviate(miss),
                customdata=np.round(np.stack([_AT[1:], miss], axis=1), 4),
                mode="lines",
                name=f"{title}, EER {score(rate)}",
                line={"color": colour(tone), "dash": dash, "width": 2.5},
                hovertemplate="%{customdata[1]:.1%} missed at %{customdata[0]:.1%} false alarms"
                f"<extra>{title}</extra>",
            )
        )
        if math.isfinite(rate):
            made.add_trace(
                go.Scatter(
                    x=_deviate([rate]),
                    y=_deviate([rate]),
                    mode="markers",
                    showlegend=False,
                    marker={"symbol": "diamond", "size": 10, "color": colour(tone)},
                    text=[f"{title}: equal error rate {score(rate)}"],
                    hoverinfo="text",
                )
            )
        drawn += 1
    if not drawn:
        return None
    low, high = _deviate([_LOW, _HIGH])
    made.add_shape(type="line", x0=low, y0=low, x1=high, y1=high, line={"dash": "dot", "width": 1.5}, layer="below")
    ticks = {
        "tickvals": _deviate(_TICKS),
        "ticktext": [f"{100 * t:g}%" for t in _TICKS],
        "zeroline": False,
        "tickangle": 0,
    }
    made.update_xaxes(title_text="false alarms", range=[low - 0.05, high], **ticks)
    made.update_yaxes(title_text="same-batch pairs missed", range=[low - 0.05, high], **ticks)
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    c = record.confirmation
    if c is None:
        return "nothing is confirmed yet"
    return "no confirmed set holds both kinds of pairs" if c.pairs else "no model was trained"
