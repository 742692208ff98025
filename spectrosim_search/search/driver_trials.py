"""The driver's dealings with Optuna: asking, reporting, telling.

Trials are asked for in a mirror of the study in memory and written to the database in one transaction, complete with
their parameters. So a trial is there or not, whenever the driver dies; asking costs no queries; and what the sampler
sees depends on the trials alone, not on the storage, which makes a resumed study repeat number for number.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from spectrosim_search.config.configuration import Configuration, Scalar
from spectrosim_search.config.study import Study
from spectrosim_search.search.documents.catalogue import places
from spectrosim_search.search.driver_objectives import ObjectiveBook
from spectrosim_search.search.screening import Screening
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_optuna import directions, optuna_errors
from spectrosim_search.search.store_records import CONFIGURATION_ATTRIBUTE, REASON_ATTRIBUTE, SLOT_ATTRIBUTE
from spectrosim_search.spectra.spectra_set import SpectraSet

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial, TrialState

__all__ = ["TrialBook"]

# A slot whose trial failed is asked for again: another seed, or the same configuration would come back.
_ATTEMPT_STRIDE = 1_000_003


# NSGA-II notes a generation's parents as ids, which are the mirror's own: in the database they are trial numbers.
_PARENTS = "Generations:parent:"


class TrialBook:
    """Optuna's trials of one study, in the database and mirrored in memory.

    `spectra` are needed where there are several objectives.
    """

    def __init__(self, store: Store, study: Study, spectra: SpectraSet | None = None) -> None:
        import optuna

        self._study = study
        self._url = store.engine.url
        self._shared = store.shared
        self._optuna = store.optuna_study(study.name)
        self._storage = store.optuna_storage()
        with optuna_errors(self._url):
            self._id = self._storage.get_study_id_from_name(study.name)
        self._memory = optuna.storages.InMemoryStorage()
        self._mirror = optuna.create_study(
            storage=self._memory, directions=directions(study.objectives), pruner=optuna.pruners.NopPruner()
        )
        self._objectives = ObjectiveBook(store, store.study_id(study.name), study, spectra)
        self._mirror_id = self._memory.get_study_id_from_name(self._mirror.study_name)
        self._screening = Screening(study)
        self._places: dict[int, int] = {}  # trial number → id in the mirror
        self._rows: dict[int, int] = {}  # trial number → id in the database
        self._numbers: dict[str, int] = {}  # slot and attempt → trial number
        self.sync()

    def sync(self) -> None:
        """Bring the mirror up to date with trials that others wrote."""
        with optuna_errors(self._url):
            for trial in self._storage.get_all_trials(self._id, deepcopy=False):
                if trial.number not in self._places:
                    self._places[trial.number] = self._memory.create_new_trial(self._mirror_id, trial)
                    self._rows[trial.number] = trial._trial_id
                    self._numbers.setdefault(str(trial.user_attrs.get(SLOT_ATTRIBUTE)), trial.number)
                elif trial.state.is_finished() and not self._mirrored(trial.number).state.is_finished():
                    for step, value in trial.intermediate_values.items():
                        self._memory.set_trial_intermediate_value(self._places[trial.number], step, value)
                    self._memory.set_trial_state_values(self._places[trial.number], trial.state, trial.values)
            for key, value in self._storage.get_study_system_attrs(self._id).items():
                parents = key.startswith(_PARENTS)
                mine = [self._places[number] for number in value] if parents else value
                self._memory.set_study_system_attr(self._mirror_id, key, mine)

    def find(self, slot: int, attempt: int) -> FrozenTrial | None:
        """The trial of a slot's attempt, if it was written (the driver may have died right after)."""
        number = self._numbers.get(_label(slot, attempt))
        return None if number is None else self._mirrored(number)

    def number_of(self, slot: int, attempt: int) -> int:
        """Number in the database of the trial that :meth:`find` found."""
        return self._numbers[_label(slot, attempt)]

    def ask(self, slot: int, attempt: int) -> tuple[int, Configuration]:
        """Ask for the trial of a slot. Returns its number and configuration.

        Known good configurations come first, then what the study screens and what goes on from the best of that; the
        sampler is seeded from the study's seed and the slot.
        """
        import optuna

        from spectrosim_search.search.samplers import make_sampler
        from spectrosim_search.search.space import suggest

        if self._shared:
            self.sync()
        hidden = self._screening.is_screened if self._screening.searches(slot) else None
        sampler = make_sampler(
            self._study.sampler, self._study.seed, slot + attempt * _ATTEMPT_STRIDE, self._study.dimensions, hidden
        )
        fixed = self._screening.fixed(slot) or self._architecture(slot, attempt)
        with warnings.catch_warnings():  # PartialFixedSampler has been marked experimental since Optuna 2.4
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            self._mirror.sampler = optuna.samplers.PartialFixedSampler(fixed, sampler) if fixed else sampler
        trials = self._memory.get_all_trials(self._mirror_id, deepcopy=False)
        enqueued = self._screening.enqueued(slot, trials) if attempt == 0 else None
        if enqueued is not None:
            self._mirror.enqueue_trial(enqueued)
        trial = self._mirror.ask()
        configuration = suggest(trial, self._study)
        drawn = self._memory.get_trial(trial._trial_id)
        attributes = {SLOT_ATTRIBUTE: _label(slot, attempt), CONFIGURATION_ATTRIBUTE: configuration.identity}
        for key, value in attributes.items():
            self._memory.set_trial_user_attr(trial._trial_id, key, value)
        template = optuna.trial.create_trial(
            state=optuna.trial.TrialState.RUNNING,
            params=drawn.params,
            distributions=drawn.distributions,
            user_attrs=attributes,
            system_attrs=drawn.system_attrs,
        )
        with optuna_errors(self._url):
            known = self._storage.get_study_system_attrs(self._id)
            for key, value in self._memory.get_study_system_attrs(self._mirror_id).items():
                parents = key.startswith(_PARENTS)
                shared = [number for number, place in self._places.items() if place in value] if parents else value
                if known.get(key) != shared:  # the place of a quasi-random sequence, for one
                    self._storage.set_study_system_attr(self._id, key, shared)
            written = self._storage.create_new_trial(self._id, template)
            number = self._storage.get_trial_number_from_id(written)
        self._places[number], self._rows[number] = trial._trial_id, written
        self._numbers[_label(slot, attempt)] = number
        return number, configuration

    def _architecture(self, slot: int, attempt: int) -> dict[str, Scalar]:
        """What a trial shares with the first of its batch, which it can then be stacked with; empty for the first."""
        first = slot - slot % self._study.sampler.batch
        leader = self.find(first, 0)
        if slot == first or attempt or leader is None:
            return {}
        return {p: v for p, v in leader.params.items() if any(place.shapes for place in places()[p])}

    def note(self, number: int, configuration: Configuration) -> None:
        """Note what a trial costs, where the study asks for that."""
        with optuna_errors(self._url):
            self._objectives.note(number, configuration)

    def report(self, number: int, means: Sequence[float]) -> None:
        """Report the running mean after each number of cells; what was reported before is left alone."""
        if self._objectives.several:
            with optuna_errors(self._url):
                self._objectives.report(number, means)
            return
        known = self._mirrored(number).intermediate_values
        for step, value in enumerate(means, start=1):
            if step not in known:
                with optuna_errors(self._url):
                    self._storage.set_trial_intermediate_value(self._rows[number], step, value)
                self._memory.set_trial_intermediate_value(self._places[number], step, value)

    def state(self, number: int) -> TrialState:
        """State of a trial."""
        return self._mirrored(number).state

    def tell(self, number: int, state: TrialState, value: float | None, reason: str) -> None:
        """End a trial with its score; its costs go with it where the study asks for them.

        One that was told before (the driver died before it noted that) is left as it is.
        """
        if self._mirrored(number).state.is_finished():
            return
        with optuna_errors(self._url):
            if reason:
                self._storage.set_trial_user_attr(self._rows[number], REASON_ATTRIBUTE, reason)
            values = None if value is None else self._objectives.values(number, value)
            self._optuna.tell(number, values, state=state, skip_if_finished=True)
            told = self._storage.get_trial(self._rows[number])
        self._memory.set_trial_state_values(self._places[number], told.state, told.values)

    def _mirrored(self, number: int) -> FrozenTrial:
        return self._memory.get_trial(self._places[number])


def _label(slot: int, attempt: int) -> str:
    return f"{slot}.{attempt}"
