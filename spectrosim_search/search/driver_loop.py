"""The event loop that owns asking, pruning and telling.

On every result it settles what the result decides (:mod:`ladder`), hands the next replicates out, the deepest rung
first, and asks ahead while workers train. All of this depends on the stored results alone, in the order settle, hand
out, ask, so with one worker a study that was interrupted anywhere goes on exactly as if it had not been.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from itertools import islice

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import RunError
from spectrosim_search.search import ladder, store_slots
from spectrosim_search.search.bench import Bench
from spectrosim_search.search.budget import Allowance, Usage
from spectrosim_search.search.driver_accounts import Accounts, SearchOutcome
from spectrosim_search.search.driver_field import Field, Trial
from spectrosim_search.search.driver_interrupt import Interrupted, Interruption, interrupted
from spectrosim_search.search.driver_trials import TrialBook
from spectrosim_search.search.lease import LeaseKeeper
from spectrosim_search.search.progress import (
    Listener,
    ReplicateDone,
    TrialEnded,
    TrialRung,
    TrialStarted,
    WorkerLost,
)
from spectrosim_search.search.store import Store
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workers.pool import Finished, Pool, PoolEvent, WorkerDied

__all__ = ["Driver"]

WAIT_SECONDS = 1.0  # between looks at the clock, at other drivers, at Ctrl-C
DEATHS = 2  # workers a replicate may kill before its trial fails
FAILURES = 3  # failed trials in a row after which the search gives up


class Driver:
    """One driver at work on one study; made and run by :func:`driver.search`."""

    def __init__(
        self,
        store: Store,
        bench: Bench,
        pool: Pool,
        lease: LeaseKeeper,
        allowance: Allowance,
        listener: Listener,
        spent: float,
    ) -> None:
        self._store = store
        self._bench = bench
        self._study = bench.study
        self._id = store.study_id(bench.study.name)
        self._pool = pool
        self._lease = lease
        self._allowance = allowance
        self._tell = listener
        self._total = bench.study.budget.trials
        self._field = Field(bench)
        self._book = TrialBook(store, bench.study, bench.spectra)
        self._configurations = store.configurations(bench.study.name)
        stored = store.status(self._study.name).replicates
        self._accounts = Accounts(
            self._field,
            self._allowance,
            asked=self._total,
            workers=pool.slots,
            spent=spent,
            others=sum(count for phase, count in stored.items() if phase != "search"),
        )
        self._busy: dict[str, WorkItem] = {}
        self._deaths: Counter[str] = Counter()
        self._failures_in_a_row = 0
        self._looked = float("-inf")

    # --- the loop ----------------------------------------------------------------------------------------------

    def run(self, grace: float) -> SearchOutcome:
        """Search to the end. Raises Interrupted on Ctrl-C and RunError where the lease or too many trials are lost."""
        with Interruption(self._pool.hurry, grace=grace) as interruption:
            self._join()
            while True:
                self._lease.check()
                self._look_round()
                self._settle()
                if interruption.requested:
                    self._drain(interruption)
                    raise Interrupted(interrupted(self._study.name))
                used_up = self._allowance.used_up(self._usage())
                first = self._first_to_finish() if used_up else None
                if first is not None:
                    self._finish(first)
                elif not used_up:
                    self._hand_out()
                if self._busy:
                    self._handle(self._pool.events(WAIT_SECONDS))
                elif used_up and first is None:
                    return self._accounts.outcome("" if self._finished() else used_up)
                elif self._finished():
                    return self._accounts.outcome("")
                elif self._pool.free == 0:
                    self._handle(self._pool.events(WAIT_SECONDS))  # workers are starting
                else:
                    time.sleep(WAIT_SECONDS)  # the trials left are other drivers'

    def _drain(self, interruption: Interruption) -> None:
        """Give running replicates what is left of the grace; what does not end is trained again another time."""
        while self._busy and interruption.left > 0:
            self._handle(self._pool.events(min(WAIT_SECONDS, interruption.left)))

    def _finished(self) -> bool:
        rows = store_slots.read(self._store.engine, self._id)
        return sum(row.state in store_slots.DONE for row in rows if row.slot < self._total) >= self._total

    # --- taking part -------------------------------------------------------------------------------------------

    def _join(self) -> None:
        """Read the study, take over what lapsed drivers left, adopt trials whose slot was not noted yet."""
        store_slots.take_over(self._store.engine, self._id, self._lease.driver, self._total)
        self._read_results()
        self._read_trials()

    def _look_round(self) -> None:
        """See what other drivers did, where there can be others."""
        if not self._store.shared or time.monotonic() - self._looked < WAIT_SECONDS:
            return
        self._looked = time.monotonic()
        self._book.sync()
        store_slots.take_over(self._store.engine, self._id, self._lease.driver, self._total)
        self._read_results()
        self._read_trials()

    def _read_results(self) -> None:
        known = frozenset(self._field.results)
        for record in self._store.replicates(self._study.name, "search", skip=known):
            self._field.add_result(record, self._configuration(record.configuration_id).training.epochs)

    def _configuration(self, identity: str) -> Configuration:
        if identity not in self._configurations:
            self._configurations[identity] = self._store.configuration(identity)
        return self._configurations[identity]

    def _read_trials(self) -> None:
        for slot in store_slots.read(self._store.engine, self._id):
            mine = slot.driver == self._lease.driver
            known = self._field.trials.get(slot.slot)
            if slot.state == "asking" and mine and known is None:
                self._fill_slot(slot)
            elif slot.number is None:
                self._field.drop(slot.slot)
            elif known is None or known.slot != slot:
                configuration = self._configuration(slot.configuration_id)
                trial = self._field.add_trial(slot, slot.number, configuration, mine=mine)
                if trial.open and known is None:
                    self._note_told(trial)
                    self._tell(TrialStarted(trial.number, slot.configuration_id, resumed=True))

    def _note_told(self, trial: Trial) -> None:
        """Close a slot whose trial had been told when its driver died."""
        state = self._book.state(trial.number)
        if state.name in ("COMPLETE", "PRUNED"):
            self._close(trial, state.name, "")
        elif state.name == "FAIL":
            self._release(trial)

    # --- deciding ----------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Decide on every own trial what its results decide; what is trained as one unit counts as a whole."""
        units = self._pool.capacity == 1
        for trial in self._field.open_trials():
            while trial.open and not (units and self._field.cut(trial)):
                climb = self._field.climb(trial)
                self._book.report(trial.number, climb.means)
                more = len(self._field.trials) < self._total
                step = ladder.judge(climb, self._field.climbs(), self._study.ladder, self._field.cells, more=more)
                if step.action == "wait":
                    break
                if step.action == "go on":
                    store_slots.grant(self._store.engine, self._id, trial.slot, step.granted)
                    self._field.change(trial, replace(trial.slot, granted=step.granted))
                    self._tell(TrialRung(trial.number, climb.mean(), len(climb.scores), step.granted))
                else:
                    self._close(trial, "COMPLETE" if step.action == "complete" else "PRUNED", step.reason)

    def _close(self, trial: Trial, state: str, reason: str) -> None:
        from optuna.trial import TrialState

        climb = self._field.climb(trial)
        value = climb.mean() if climb.scores else None
        told = TrialState[state]
        self._book.tell(trial.number, told, value if told == TrialState.COMPLETE else None, reason)
        final: store_slots.Final = "complete" if told == TrialState.COMPLETE else "pruned"
        store_slots.finish(self._store.engine, self._id, trial.slot, final, value, reason)
        self._field.change(trial, replace(trial.slot, state=final, value=value, reason=reason))
        self._failures_in_a_row = 0
        needed = {key for other in self._field.open_trials() for key in other.keys}
        self._pool.stop([key for key in trial.keys if key in self._busy and key not in needed])
        self._tell(TrialEnded(trial.number, state, value, len(climb.scores), reason))

    def _fail(self, trial: Trial, reason: str) -> None:
        """A failure of the infrastructure: the trial is told FAIL and its slot asked for again."""
        from optuna.trial import TrialState

        self._book.tell(trial.number, TrialState.FAIL, None, reason)
        cells = len(self._field.climb(trial).scores)
        self._release(trial)
        self._tell(TrialEnded(trial.number, "FAIL", None, cells, reason))
        self._failures_in_a_row += 1
        if self._failures_in_a_row >= FAILURES:
            raise RunError(
                f"{FAILURES} trials in a row failed, the last one since {reason}; look at memory and drivers"
            )

    def _release(self, trial: Trial) -> None:
        store_slots.free(self._store.engine, self._id, trial.slot)
        self._field.drop(trial.slot.slot)

    # --- out of time -------------------------------------------------------------------------------------------

    def _first_to_finish(self) -> Trial | None:
        """The trial that goes on although the time is over, where none has finished; None: the search may end.

        Without a finished trial nothing can be confirmed and all was in vain (a machine that is busy, or workers that
        took long to start). The one that has come farthest climbs to the end; no other is asked for but the very first.
        """
        if self._field.states["complete"] or not self._allowance.only_time(self._usage()):
            return None
        if not self._field.trials:
            self._ask()
        return self._field.farthest()

    def _finish(self, trial: Trial) -> None:
        """Let one trial train all its cells, and nothing else."""
        if trial.slot.granted < self._field.cells:
            store_slots.grant(self._store.engine, self._id, trial.slot, self._field.cells)
            self._field.change(trial, replace(trial.slot, granted=self._field.cells))
        while self._pool.free > 0:
            own = [(t, cell) for t, cell in self._field.waiting(self._busy) if t is trial]
            if not own:
                return
            self._submit(own)

    # --- handing out -------------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Give every free worker the next replicates, then ask ahead, so that nobody waits for the sampler."""
        while self._pool.free > 0 and not self._allowance.used_up(self._usage()):
            waiting = self._field.waiting(self._busy)
            if waiting:
                self._submit(waiting)
            elif not self._ask():
                break
        while self._field.fresh(self._busy) < self._pool.slots and self._ask():
            pass

    def _submit(self, waiting: list[tuple[Trial, int]]) -> None:
        items: list[WorkItem] = []
        for trial, cell in self._together(waiting):
            epochs = trial.configuration.training.epochs
            below = self._field.reference(cell, epochs) if self._study.ladder.curves else None
            items.append(self._bench.search_item(trial.configuration, trial.number, cell, below))
        self._busy |= {item.key: item for item in items}
        self._pool.submit(items)
        self._accounts.submitted()

    def _together(self, waiting: list[tuple[Trial, int]]) -> list[tuple[Trial, int]]:
        """What the next worker trains as one stack."""
        first, cell = waiting[0]
        if self._pool.capacity == 1:
            unit = self._field.unit(first, cell)
            left = self._allowance.replicates_left(self._usage())
            return [(first, c) for c in (unit if left is None or left >= len(unit) else (cell,))]
        stack = self._field.stack_key(first)
        alike = ((t, c) for t, c in waiting if self._field.stack_key(t) == stack)
        return list(islice(alike, self._pool.capacity))

    def _ask(self) -> bool:
        """Ask for one more trial, or the rest of its batch where the study asks for several; False if none is left."""
        batch = self._study.sampler.batch
        asked = False
        while (slot := store_slots.claim(self._store.engine, self._id, self._lease.driver, self._total)) is not None:
            self._fill_slot(slot)
            asked = True
            if slot.slot % batch == batch - 1:
                break
        return asked

    def _fill_slot(self, slot: store_slots.Slot) -> None:
        """Give a claimed slot its trial: the one its last driver had written, or a new one."""
        from spectrosim_search.search.space import suggest

        written = self._book.find(slot.slot, slot.attempt)
        if written is None:
            number, configuration = self._book.ask(slot.slot, slot.attempt)
        else:
            number = self._book.number_of(slot.slot, slot.attempt)
            configuration = suggest(written, self._study)
        self._store.add_configuration(configuration)
        self._book.note(number, configuration)
        self._configurations[configuration.identity] = configuration
        granted = ladder.rungs(self._study.ladder, self._field.cells)[0]
        store_slots.start(self._store.engine, self._id, slot, number, configuration.identity, granted)
        running = replace(
            slot, state="running", number=number, configuration_id=configuration.identity, granted=granted
        )
        self._field.add_trial(running, number, configuration, mine=True)
        self._tell(TrialStarted(number, configuration.identity, resumed=written is not None))

    # --- events ------------------------------------------------------------------------------------------------

    def _handle(self, events: list[PoolEvent]) -> None:
        for event in events:
            if isinstance(event, Finished):
                self._store_result(event)
            elif isinstance(event, WorkerDied):
                self._tell(WorkerLost(event.worker, event.reason, len(event.keys)))
                for key in event.keys:
                    self._worker_died(key, event.reason)
        if events:
            self._tell(self._accounts.progress(len(self._busy)))

    def _store_result(self, event: Finished) -> None:
        record = event.record
        item = self._busy.pop(record.key, None)
        if record.key in self._field.results:  # its unit was cut short before and trained again as a whole
            self._accounts.worked(record.total_seconds)
            return
        self._store.add_replicate(self._study.name, record, event.environment)
        epochs = item.configuration.training.epochs if item is not None else max(1, len(record.curve) - 1)
        self._field.add_result(record, epochs)
        self._accounts.worked(record.total_seconds)
        self._tell(ReplicateDone.of(record))

    def _worker_died(self, key: str, reason: str) -> None:
        self._busy.pop(key, None)
        self._deaths[key] += 1
        if self._deaths[key] < DEATHS:
            return  # it is still waiting and goes to another worker
        for trial in [t for t in self._field.open_trials() if key in t.keys]:
            self._fail(trial, f"cell {trial.keys.index(key)} killed {DEATHS} workers ({reason})")

    def _usage(self) -> Usage:
        return self._accounts.usage(len(self._busy))
