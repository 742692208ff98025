"""Running a baseline by its name."""

from __future__ import annotations

import numpy as np

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.config import registry
from spectrosim_search.config.errors import RunError

__all__ = ["run", "title"]


def title(name: str) -> str:
    """How a table names the baseline. Raises InputError for an unknown name."""
    return str(registry.load("baselines", name).TITLE)


def run(name: str, data: BaselineInput) -> BaselineOutput:
    """Fit the baseline on the training rows and score all pairs.

    Raises InputError for an unknown name or data the baseline cannot take, RunError where a similarity is not a number.
    """
    output: BaselineOutput = registry.load("baselines", name).fit_score(data)
    for pairs, similarity in zip(data.pairs, output.similarities, strict=True):
        if similarity.shape != (len(pairs),) or not np.isfinite(similarity).all():
            raise RunError(f"baseline '{name}' gave similarities that are not finite numbers, one for each pair")
    return output
