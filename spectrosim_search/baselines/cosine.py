"""Plain cosine similarity of total-ion-current normalised spectra."""

from __future__ import annotations

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._preprocessing import score_rows
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.spectra.preprocessing import fit

__all__ = ["TITLE", "fit_score"]

TITLE = "cosine"


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Nothing is fitted."""
    settings = Preprocessing(intensity="tic", scale="none")
    state = fit(settings, data.spectra.intensities[data.train])
    return BaselineOutput(score_rows(data, state, lambda x: x), "tic", settings)
