"""Search score against the batch size, as in Figure 5 of the SpectroSim paper, with the spread it lacks."""

from __future__ import annotations

import plotly.graph_objects as go

from spectrosim_search.report.figures._sensitivity import absent, sensitivity
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Sensitivity to batch size"
ORDER = 170
SECTION = "search"
CAPTION = (
    "Squares: mean and standard deviation over the trials of each batch size (or of neighbouring ones); other settings "
    "vary too. These are search scores, made to choose by, and not the confirmed result."
)

_PATH = "training.batch_size"
_NAME = "batch size"


def build(record: StudyRecord) -> go.Figure | None:
    """Draw trials, mean and spread over the batch size."""
    return sensitivity(record, _PATH, _NAME)


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return absent(record, _PATH, _NAME)
