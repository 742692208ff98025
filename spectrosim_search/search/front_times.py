"""What the front's models take by the clock: measured once, when the search is over and its workers are idle.

A search steers by counted inference time, which repeats; this is what a person wants to know beside it. It is shown and
never compared, and a study that goes on measures only what it has not measured yet.
"""

from __future__ import annotations

from spectrosim_search.config.study import Study
from spectrosim_search.search.objectives import measured_time
from spectrosim_search.search.pareto import pareto_trials
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_costs import note_measured
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["measure_front"]

MOST = 20  # trials of the front that are measured, best score first


def measure_front(store: Store, study: Study, spectra: SpectraSet) -> int:
    """Measure the inference time of the front's trials where the study asks for it; returns how many were measured."""
    if "inference_time" not in study.objectives:
        return 0
    record = store.record(study.name)
    waiting = [t for t in pareto_trials(record)[:MOST] if t.measured_inference is None]
    for t in waiting:
        assert t.configuration is not None  # of COMPLETE trials it is known
        note_measured(store.engine, store.study_id(study.name), t.number, measured_time(t.configuration, spectra))
    return len(waiting)
