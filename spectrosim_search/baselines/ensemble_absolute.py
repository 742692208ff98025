"""Soft vote of the eight classical classifiers on |x1 - x2| of two spectra."""

from __future__ import annotations

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._pair_classifier import vote

__all__ = ["TITLE", "fit_score"]

TITLE = "ensemble on |x1 - x2|"
SEEDED = True
FAMILY = "pairs-absolute"
COMBINES = True


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Fit on the known training pairs and score."""
    return vote(data, "absolute")
