"""Binary classifier: an ensemble Transformer on x1 - x2 (SpectroSim); the order of the two matters."""

from __future__ import annotations

from spectrosim_search.baselines._binary import REVISION, fit_score_binary
from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput

__all__ = ["DIRECTED", "REVISION", "SEEDED", "TITLE", "fit_score"]

TITLE = "binary ensemble Transformer on x1 - x2"
SEEDED = True
DIRECTED = True


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Train on the known training pairs and score by the logit."""
    return fit_score_binary(data, "ensemble-transformer")
