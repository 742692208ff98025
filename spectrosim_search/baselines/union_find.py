"""Union-find over the training pairs known to be the same, blind to every intensity.

A pair is the same if known positives connect it. What this scores above one half is leaked by the split, not
measured (Park and Marcotte 2012); under `batch-disjoint` and `shared-batch` it is exactly one half.
"""

from __future__ import annotations

import numpy as np

from spectrosim_search.baselines._contract import BaselineInput, BaselineOutput
from spectrosim_search.baselines._known import training_groups

__all__ = ["TITLE", "fit_score"]

TITLE = "union-find (blind to intensities)"


def fit_score(data: BaselineInput) -> BaselineOutput:
    """Similarity 1 where training positives connect the two spectra, else 0."""
    component = np.full(len(data.spectra), -1, dtype=np.int64)
    component[data.train] = training_groups(data)
    similarities = tuple(
        ((component[p.left] == component[p.right]) & (component[p.left] >= 0)).astype(np.float32) for p in data.pairs
    )
    return BaselineOutput(similarities, "known training pairs only")
