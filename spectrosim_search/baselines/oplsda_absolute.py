"""OPLS-DA on |x1 - x2| of two spectra."""

from __future__ import annotations

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._pair_classifier import classify

__all__ = ["TITLE", "fit_score"]

TITLE = "OPLS-DA on |x1 - x2|"
SEEDED = True
FAMILY = "pairs-absolute"


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Fit on the known training pairs and score."""
    return classify(data, "oplsda", "absolute")
