"""Binary classifier: an LSTM on |x1 - x2|; their order does not matter."""

from __future__ import annotations

from spectrosim_search.baselines._binary import REVISION, fit_score_binary
from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput

__all__ = ["REVISION", "SEEDED", "TITLE", "fit_score"]

TITLE = "binary LSTM on |x1 - x2|"
SEEDED = True


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Train on the known training pairs and score by the logit."""
    return fit_score_binary(data, "lstm", absolute=True)
