"""Map of the out-of-fold embeddings, spectra of one group joined by lines."""

from __future__ import annotations

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from spectrosim_search.report.theme import colour, figure
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Embedding map"
ORDER = 50
SECTION = "result"
TASKS = ("same-batch",)
CAPTION = (
    "Spectra as one training run of the winner sees them, on two principal axes; only spectra it was not trained on "
    "have a place. Lines join spectra of one batch: short ones, far from other batches, are good. Two axes hold part "
    "of the distances only: the scores decide, not the picture."
)

_MOST_LINES = 3000
_TONES = (("blue", "circle"), ("orange", "triangle-up"), ("green", "square"), ("purple", "diamond"), ("red", "x"))


def _joined(record: StudyRecord) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct same-batch pairs ``(Q, 2)`` inside the map and the stratum of each ``(Q,)``."""
    assert record.confirmation is not None
    rows = len(record.confirmation.embedding)
    parts = [
        np.stack([np.minimum(p.left, p.right), np.maximum(p.left, p.right), p.stratum], axis=1)[p.positive]
        for p in record.confirmation.pairs
    ]
    if not parts:
        return np.zeros((0, 2), np.int64), np.zeros(0, np.int64)
    every = np.unique(np.concatenate(parts), axis=0)
    every = every[every[:, 1] < rows]
    return every[:, :2], every[:, 2]


def _label_codes(rows: int, pairs: NDArray[np.int64], stratum: NDArray[np.int64]) -> NDArray[np.int64]:
    """Code of each spectrum's label where same-batch pairs give it away without contradiction, else -1."""
    codes = np.full(rows, -1, np.int64)
    for side in (0, 1):
        codes[pairs[:, side]] = stratum
    clear = all(bool((codes[pairs[:, side]] == stratum).all()) for side in (0, 1))
    few = len(np.unique(codes[codes >= 0])) <= len(_TONES)
    return codes if clear and few else np.full(rows, -1, np.int64)


def build(record: StudyRecord) -> go.Figure | None:
    """Draw points and the lines between spectra of one batch."""
    c = record.confirmation
    if c is None or c.embedding.size == 0:
        return None
    points = c.embedding.astype(np.float64)
    placed = np.asarray(np.isfinite(points).all(axis=1))
    if not placed.any():
        return None
    pairs, stratum = _joined(record)
    codes = _label_codes(len(points), pairs, stratum)
    lines = pairs[placed[pairs].all(axis=1)] if len(pairs) else pairs
    step = max(1, -(-len(lines) // _MOST_LINES))
    lines = lines[::step]
    gap = np.full((len(lines), 1), np.nan)
    made = figure(height=460)
    if not placed.all():
        made.layout.meta["note"] = f"Shown: {int(placed.sum()):,} of {len(placed):,} spectra, those kept from this run."
    made.add_trace(
        go.Scatter(
            x=np.round(np.hstack([points[lines, 0], gap]).ravel(), 4),
            y=np.round(np.hstack([points[lines, 1], gap]).ravel(), 4),
            mode="lines",
            line={"color": colour("faint"), "width": 1},
            name="same batch",
            hoverinfo="skip",
        )
    )
    for place, code in enumerate(np.unique(codes[placed])):
        own = np.flatnonzero(placed & (codes == code))
        tone, symbol = _TONES[place % len(_TONES)]
        made.add_trace(
            go.Scatter(
                x=np.round(points[own, 0], 4),
                y=np.round(points[own, 1], 4),
                mode="markers",
                name="spectrum" if code < 0 else f"label {place + 1 - int((codes[placed] < 0).any())}",
                marker={"color": colour(tone), "symbol": symbol, "size": 8, "opacity": 0.85},
                text=[f"spectrum in row {i + 1}" for i in own],
                hoverinfo="text",
            )
        )
    made.update_xaxes(title_text="first map axis", showticklabels=False, ticks="", zeroline=False)
    made.update_yaxes(title_text="second map axis", showticklabels=False, ticks="", zeroline=False)
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return "nothing is confirmed yet" if record.confirmation is None else "the confirmation stored no map"
