"""The driver's account of trials with several objectives: what they cost, their running means, what Optuna is told.

Optuna refuses reports where there are several objectives, and the ladder judges by the score alone; so running means
lie in our own table, and a trial that is pruned has no values at Optuna's. With one objective nothing is done here.
"""

from __future__ import annotations

from collections.abc import Sequence

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import InputError
from spectrosim_search.config.study import Study
from spectrosim_search.search.objectives import costs
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_costs import TrialCosts, note_costs, note_means, read_costs
from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["ObjectiveBook"]


class ObjectiveBook:
    """Costs and running means of one study's trials. `spectra` are needed with several objectives only."""

    def __init__(self, store: Store, study_id: int, study: Study, spectra: SpectraSet | None) -> None:
        self._engine = store.engine
        self._id = study_id
        self._names = study.objectives
        self._spectra = spectra
        self._known: dict[str, dict[str, float]] = {}  # configuration → costs
        self.several = len(study.objectives) > 1
        self._rows: dict[int, TrialCosts] = read_costs(store.engine, study_id) if self.several else {}

    def note(self, number: int, configuration: Configuration) -> None:
        """Store what a trial costs, before its first replicate is trained."""
        if not self.several or number in self._rows:
            return
        identity = configuration.identity
        if identity not in self._known:
            self._known[identity] = self._costs(configuration)
        note_costs(self._engine, self._id, number, self._known[identity])
        self._rows[number] = TrialCosts(self._known[identity], (), None)

    def _costs(self, configuration: Configuration) -> dict[str, float]:
        if self._spectra is None:
            raise ValueError("a study with several objectives needs its spectra to count costs")
        try:
            return costs(configuration, self._spectra, self._names)
        except InputError:  # a model that cannot be made: its first replicate fails and the trial is pruned for it
            return {}

    def report(self, number: int, means: Sequence[float]) -> None:
        """Store the running means of a trial's score where there are more than before."""
        row = self._row(number)
        if len(means) > len(row.means):
            note_means(self._engine, self._id, number, means)
            self._rows[number] = TrialCosts(row.costs, tuple(means), row.measured)

    def values(self, number: int, score: float) -> list[float]:
        """What Optuna is told of a finished trial, in the order of the study's objectives."""
        if not self.several:
            return [score]
        known = {"score": score, **self._row(number).costs}
        return [known[name] for name in self._names]

    def _row(self, number: int) -> TrialCosts:
        if number not in self._rows:  # another driver's trial, taken over
            self._rows = read_costs(self._engine, self._id)
        return self._rows[number]
