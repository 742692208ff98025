"""What made spectra are worth: the classifier that learns from them, and measures of the spectra themselves."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.evaluation.generation import generation_metrics
from spectrosim_search.evaluation.worth import fit_classifier
from spectrosim_search.search.programs._synthesis import intensities
from spectrosim_search.search.programs._synthesis_settings import Settings

__all__ = ["classifier", "measures"]

_MEASURED = 2000  # synthetic spectra that the measures of generation look at, at most


def classifier(
    settings: Settings,
    parameters: Mapping[str, NDArray[np.float32]],
    made: NDArray[np.float32],
    classes: NDArray[np.int64],
    seed: int,
) -> dict[str, NDArray[np.float32]]:
    """Train on the real spectra in `parameters` and on `made` ``(s, L)`` of `classes` ``(s,)``, as `use` says."""
    real, own = parameters["training.spectra"], parameters["training.classes"].astype(np.int64)
    parts = {"both": ([real, made], [own, classes]), "synthetic": ([made], [classes]), "real": ([real], [own])}
    x, y = parts[settings.use]
    count = int(parameters["training.class_count"][0])
    return fit_classifier(settings.classifier, np.concatenate(x), np.concatenate(y), count, seed)


def measures(
    configuration: Configuration,
    made: NDArray[np.float32],
    made_classes: NDArray[np.int64],
    spectra: NDArray[np.float32],
    classes: NDArray[np.int64],
    used: NDArray[np.int64],
    train: NDArray[np.int64],
    axis: NDArray[np.float64],
) -> dict[str, float]:
    """Measures of what was made from the rows `used`, against the other training rows where there are any."""

    def plain(x: NDArray[np.float32]) -> NDArray[np.float64]:
        return intensities(configuration.preprocessing, x)

    some = np.arange(0, made_classes.size, max(1, -(-made_classes.size // _MEASURED)))
    left = np.setdiff1d(train, used)
    return generation_metrics(
        plain(made[some]),
        made_classes[some],
        plain(spectra[used]),
        classes[used],
        axis,
        plain(spectra[left]),
        classes[left],
    )
