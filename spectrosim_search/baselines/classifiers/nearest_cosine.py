"""Class of the training spectrum with the largest cosine: library search as it has always been done."""

from __future__ import annotations

from spectrosim_search.baselines._cosine import unit_rows
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.baselines.classifiers._nearest import by_nearest

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "nearest spectrum, cosine"
SEEDED = False


def fit(given: ClassInput) -> ClassOutput:
    """Nothing is fitted."""
    library = unit_rows(given.spectra.intensities[given.train]).T
    return by_nearest(given, lambda rows: unit_rows(given.spectra.intensities[rows]) @ library, "as measured")
