"""The most frequent class of the training rows, whatever the spectrum: what accuracy is worth without looking."""

from __future__ import annotations

import numpy as np

from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "majority class"
SEEDED = False


def fit(data: ClassInput) -> ClassOutput:
    """Name every judged row the most frequent class; of equally frequent ones the first."""
    counts = np.bincount(data.classes[data.train])
    share = np.float32(counts.max() / counts.sum())
    return ClassOutput(
        np.full(data.judged.size, counts.argmax(), dtype=np.int64),
        np.full(data.judged.size, share, dtype=np.float32),
        "never looks at a spectrum",
    )
