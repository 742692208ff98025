"""Class of the training spectrum with the largest weighted cosine (Stein and Scott 1994); mass spectra only."""

from __future__ import annotations

from spectrosim_search.baselines._cosine import unit_rows
from spectrosim_search.baselines.classifiers._contract import ClassInput, ClassOutput
from spectrosim_search.baselines.classifiers._nearest import by_nearest
from spectrosim_search.baselines.weighted_cosine import INTENSITY, MASS, require_masses, weighted

__all__ = ["SEEDED", "TITLE", "fit"]

TITLE = "nearest spectrum, weighted cosine"
SEEDED = False


def fit(given: ClassInput) -> ClassOutput:
    """Nothing is fitted. Raises DataError where the axis is no m/z."""
    spectra = given.spectra
    require_masses(spectra)
    library = unit_rows(weighted(spectra.intensities[given.train], spectra.axis)).T
    return by_nearest(
        given,
        lambda rows: unit_rows(weighted(spectra.intensities[rows], spectra.axis)) @ library,
        f"intensity^{INTENSITY:g} x mass^{MASS:g}",
    )
