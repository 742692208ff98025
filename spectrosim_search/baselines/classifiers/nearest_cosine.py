"""Class of the training spectrum with the largest cosine: library search as it has always been done.

Of a mixture it names the classes whose mean spectra, summed, come nearest.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spectrosim_search.baselines._cosine import unit_rows
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.baselines.classifiers._nearest import by_nearest, components_by
from spectrosim_search.evaluation.identification import Gallery

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "nearest spectrum, cosine"
SEEDED = False


def fit(given: ClassInput) -> ClassOutput:
    """Nothing is fitted."""
    library = unit_rows(given.spectra.intensities[given.train]).T
    found = by_nearest(given, lambda rows: unit_rows(given.spectra.intensities[rows]) @ library, "as measured")
    codes, places = np.unique(given.classes[given.train], return_inverse=True)
    known = Gallery(given.spectra.intensities[given.train], places)
    return replace(found, components=components_by(known, codes, given.mixtures))
