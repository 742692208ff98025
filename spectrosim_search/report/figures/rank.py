"""Effective rank of embeddings: collapse shows as 1."""

from __future__ import annotations

import math
from collections import defaultdict

import numpy as np
import plotly.graph_objects as go

from spectrosim_search.report.figures._points import add_points
from spectrosim_search.report.theme import colour, figure
from spectrosim_search.report.trials import (
    score_title,
    scored_trials,
    search_note,
    thin,
)
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TASKS", "TITLE", "build", "missing"]

TITLE = "Collapse: score against effective rank"
ORDER = 192
SECTION = "search"
TASKS = ("same-batch",)
CAPTION = (
    "In how many directions the embeddings of validation spectra spread (exponential of the entropy of their singular "
    "values). At 1 all spectra have become one vector, as can happen to objectives without negatives (BYOL, SimSiam); "
    "left of the dashed line an embedding has collapsed or nearly so."
)
COLLAPSED = 1.5  # effective rank below which one direction holds nearly everything


def _ranks(record: StudyRecord) -> dict[int, float]:
    """Mean effective rank over the replicates of each trial."""
    found: dict[int, list[float]] = defaultdict(list)
    for replicate in record.replicates:
        rank = replicate.metrics.get("embedding_rank", math.nan)
        if replicate.phase == "search" and replicate.trial_number is not None and math.isfinite(rank):
            found[replicate.trial_number].append(rank)
    return {number: float(np.mean(ranks)) for number, ranks in found.items()}


def build(record: StudyRecord) -> go.Figure | None:
    """Draw trials whose rank is known, on a logarithmic axis of ranks."""
    ranks = _ranks(record)
    known = tuple(t for t in scored_trials(record) if t.number in ranks)
    if not known:
        return None
    trials, note = thin(known)
    collapsed = sum(ranks[t.number] < COLLAPSED for t in known)
    made = figure(height=400)
    told = f"{collapsed} of {len(known)} trials have an effective rank below {COLLAPSED:g}."
    made.layout.meta["note"] = f"{told} {note}".strip()
    add_points(
        made,
        record,
        trials,
        lambda t: ranks[t.number],
        lambda t: f"{t.parameter('objective.type')}, effective rank {ranks[t.number]:.3g}",
    )
    made.add_vline(x=COLLAPSED, line={"color": colour("ink"), "width": 1, "dash": "dash"})
    high = max(ranks[t.number] for t in known)
    ticks = [v for v in (1, 2, 5, 10, 20, 50, 100, 200) if v <= 1.25 * high]
    made.update_xaxes(title_text="effective rank of the embeddings", type="log", tickvals=ticks)
    made.update_xaxes(range=[math.log10(0.9), math.log10(max(1.2 * high, 3.0))])
    made.update_yaxes(title_text=score_title(record), tickformat=".3~f")
    return made


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return search_note(record) if not scored_trials(record) else "no replicate stored the rank of its embeddings"
