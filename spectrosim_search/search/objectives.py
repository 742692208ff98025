"""What a study may be searched for beside the score, and what a configuration costs.

A cost is a function of the configuration and of the spectra's length alone: the trained values are counted, and so is
inference time (:mod:`spectrosim_search.learning.workload` says why and how well that agrees with a clock). So costs are
the same on every worker and at every resumption, and the score alone comes from training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from spectrosim_search.config.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from spectrosim_search.config.configuration import Configuration
    from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["OBJECTIVES", "Goal", "costs", "measured_time", "titled"]

SAMPLE = 64  # spectra that a configuration is shown to count its cost


@dataclass(frozen=True)
class Goal:
    """One objective. `title` as a person reads it, `unit` behind its values."""

    title: str
    unit: str
    maximise: bool


OBJECTIVES: Mapping[str, Goal] = {
    "score": Goal("score", "", True),
    "inference_time": Goal("inference time, counted", "ms for 64 spectra", False),
    "parameters": Goal("parameters", "", False),
}


def titled(name: str) -> str:
    """Title of an objective with its unit in brackets."""
    goal = OBJECTIVES[name]
    return f"{goal.title} ({goal.unit})" if goal.unit else goal.title


def costs(configuration: Configuration, spectra: SpectraSet, names: Sequence[str]) -> dict[str, float]:
    """The named objectives of a configuration but the score."""
    wanted = [name for name in names if name != "score"]
    if not wanted:
        return {}
    from spectrosim_search.learning.engine import parameter_count
    from spectrosim_search.learning.precision import single_thread
    from spectrosim_search.learning.workload import count_inference

    shown, axis = _preprocessed(configuration, spectra)
    out: dict[str, float] = {}
    if "inference_time" in wanted:
        with single_thread():
            out["inference_time"] = round(count_inference(configuration, shown, axis).milliseconds, 6)
    if "parameters" in wanted:
        out["parameters"] = float(parameter_count(configuration, shown.shape[1]))
    return out


def measured_time(configuration: Configuration, spectra: SpectraSet) -> float:
    """Milliseconds for 64 spectra by this machine's clock, as loaded as it is now; for showing, never for choosing."""
    from spectrosim_search.learning.workload import measure_inference

    return measure_inference(configuration, *_preprocessed(configuration, spectra))


def _preprocessed(configuration: Configuration, spectra: SpectraSet) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Some spectra ``(≤ 64, L)`` and their axis as a model gets them; raw where the configuration cannot take them."""
    from spectrosim_search.spectra import preprocessing

    raw = spectra.intensities[:SAMPLE]
    try:
        state = preprocessing.fit(configuration.preprocessing, raw)
        return state.transform(raw), state.axis(spectra.axis)
    except InputError:  # its trial is pruned for that, with the reason
        return raw.astype("float32"), spectra.axis
