"""Search score against the temperature, as in Figure 4 of the SpectroSim paper, with the spread it lacks."""

from __future__ import annotations

import plotly.graph_objects as go

from spectrosim_search.report.figures._sensitivity import absent, sensitivity
from spectrosim_search.search.records import StudyRecord

__all__ = ["CAPTION", "ORDER", "SECTION", "TITLE", "build", "missing"]

TITLE = "Sensitivity to temperature"
ORDER = 160
SECTION = "search"
CAPTION = (
    "Squares: mean and standard deviation over the trials of each temperature (or of neighbouring ones); other "
    "settings vary too. These are search scores, made to choose by, and not the confirmed result."
)

_PATH = "objective.temperature"
_NAME = "temperature"


def build(record: StudyRecord) -> go.Figure | None:
    """Draw trials, mean and spread over the temperature."""
    return sensitivity(record, _PATH, _NAME)


def missing(record: StudyRecord) -> str:
    """Say why there is no figure."""
    return absent(record, _PATH, _NAME)
