"""A study with a long past and workers that only keep time: what the driver costs can be measured with these."""

from __future__ import annotations

import math
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import optuna
import sqlalchemy as sa

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.study import Budget, Study
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.search import ladder
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.records import EnvironmentRecord, ReplicateRecord
from spectrosim_search.search.samplers import trial_seed
from spectrosim_search.search.space import suggest
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_records import CONFIGURATION_ATTRIBUTE, SLOT_ATTRIBUTE
from spectrosim_search.search.store_tables import SlotRow
from spectrosim_search.search.work_item import WorkItem
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.search.workers.pool import Finished, PoolEvent
from spectrosim_search.spectra.simulators import simulate

__all__ = ["ENVIRONMENT", "TimedPool", "bench_for", "fill", "made_up"]

ENVIRONMENT = EnvironmentRecord("benchmark", {}, {})


def bench_for(study: str, trials: int) -> Workbench:
    """The study on the embedded data, with a budget of `trials` and no other limit."""
    composed: Study = replace(load_study(study), budget=Budget(trials=trials))
    return Workbench(simulate("reims"), composed)


def made_up(bench: Workbench, item: WorkItem) -> ReplicateRecord:
    """A replicate nobody trained: a score that depends on the temperature, the cell and luck; all arrays full size."""
    rng = np.random.default_rng([item.cell, int(item.configuration_id[:8], 16)])
    temperature = float(dict(item.configuration.objective.parameters).get("temperature", 0.1))
    score = 0.7 - 0.05 * abs(math.log(temperature / 0.1)) + 0.03 * float(rng.normal())
    epochs = item.configuration.training.epochs
    rise = score - 0.2 * np.exp(-np.arange(epochs + 1) / 5) + 0.01 * rng.normal(size=epochs + 1)
    halves = bench.task(item).halves
    assert halves is not None
    pairs = tuple(
        PairScores(
            half.left,
            half.right,
            half.positive,
            half.stratum,
            rng.random(len(half.left), dtype=np.float32),
            0.5,
        )
        for half in halves
    )
    return ReplicateRecord(
        key=item.key,
        phase="search",
        configuration_id=item.configuration_id,
        trial_number=item.trial_number,
        cell=item.cell,
        fold=item.fold,
        seed=item.seed,
        status="finished",
        reason="",
        score=score,
        metrics={"auc": score, "matched_auc": score},
        curve=np.stack([rise, rise], axis=1).astype(np.float32),
        loss=np.ones(epochs, dtype=np.float32),
        chosen_epochs=(epochs, epochs),
        pairs=pairs,
        worker="none",
        started_at=time.time(),
        train_seconds=1.0,
        total_seconds=1.0,
        environment_id=ENVIRONMENT.id,
    )


@dataclass
class TimedPool:
    """Workers that take `seconds` for a replicate and notice for how long they had nothing to do.

    A stack takes as long as its replicates would one by one, and its records come together.
    With `seconds` 0 a replicate is done at the next look, so that the driver never waits.
    """

    bench: Workbench
    slots: int = 2
    seconds: float = 0.0
    capacity: int = 1
    idle: float = 0.0
    making: float = 0.0  # seconds spent on making records up: the benchmark's own
    done: int = 0
    _first: float = math.inf
    _last: float = 0.0
    _running: list[tuple[float, Sequence[WorkItem]]] = field(default_factory=list)
    _freed: list[float] = field(default_factory=list)

    @property
    def working(self) -> float:
        """Seconds from the first submission to the last result."""
        return self._last - self._first

    @property
    def free(self) -> int:
        """Workers without work; a replicate that is over by the clock still holds its worker until it is read."""
        return self.slots - len(self._running)

    def submit(self, items: Sequence[WorkItem]) -> None:
        """Start one stack."""
        now = time.monotonic()
        self._first = min(self._first, now)
        if self._freed:
            self.idle += now - self._freed.pop(0)
        took = self.seconds * (0.5 + 0.1 * (self.done % 11)) * len(items)
        self._running.append((now + took, tuple(items)))

    def events(self, timeout: float) -> list[PoolEvent]:
        """Replicates that are over by now; waits for the first."""
        first = min(end for end, _ in self._running) if self._running else math.inf
        time.sleep(max(0.0, min(timeout, first - time.monotonic())))
        now = time.monotonic()
        over = sorted((r for r in self._running if r[0] <= now), key=lambda r: r[0])
        self._running = [r for r in self._running if r[0] > now]
        self._freed += [end for end, _ in over]
        self._last = now if over else self._last
        events: list[PoolEvent] = []
        for item in (item for _, stack in over for item in stack):
            began = time.process_time()
            record = made_up(self.bench, item)
            self.making += time.process_time() - began
            self.done += 1
            events.append(Finished(record, ENVIRONMENT))
        return events

    def stop(self, keys: Collection[str]) -> None:
        """Nothing ends early here."""

    def hurry(self, seconds: float) -> None:
        """Nothing is abandoned here."""

    def close(self) -> None:
        """Nothing to free."""


def _drawn(study: Study, number: int) -> tuple[optuna.trial.FrozenTrial, Configuration]:
    sampler = optuna.samplers.RandomSampler(seed=trial_seed(study.seed, number))
    drawn = optuna.create_study(sampler=sampler)
    trial = drawn.ask()
    configuration = suggest(trial, study)
    return drawn.get_trials(deepcopy=False)[0], configuration


def fill(store: Store, bench: Workbench, first: int, count: int) -> None:
    """Write trials `first` to `first + count` as a search leaves them: random, two of three pruned at each rung."""
    name = bench.study.name
    study_id = store.open_study(bench.study, bench.dataset, bench.design.summary())
    store.optuna_study(name)
    storage = store.optuna_storage()
    optuna_id = storage.get_study_id_from_name(name)
    rungs = ladder.rungs(bench.study.ladder, len(bench.cells))
    rows = []
    for number in range(first, first + count):
        frozen, configuration = _drawn(bench.study, number)
        level = 0
        while level < len(rungs) - 1 and (number // 3**level) % 3 == 0:
            level += 1
        cells = rungs[level]
        store.add_configuration(configuration)
        records = [made_up(bench, bench.search_item(configuration, number, cell)) for cell in range(cells)]
        for record in records:
            store.add_replicate(name, record, ENVIRONMENT)
        means = [float(np.mean([r.score for r in records[: n + 1]])) for n in range(cells)]
        complete = cells == rungs[-1]
        states = optuna.trial.TrialState
        storage.create_new_trial(
            optuna_id,
            optuna.trial.create_trial(
                state=states.COMPLETE if complete else states.PRUNED,
                value=means[-1] if complete else None,
                params=frozen.params,
                distributions=frozen.distributions,
                intermediate_values=dict(enumerate(means, start=1)),
                user_attrs={SLOT_ATTRIBUTE: f"{number}.0", CONFIGURATION_ATTRIBUTE: configuration.identity},
            ),
        )
        rows.append(
            {
                "study_id": study_id,
                "slot": number,
                "attempt": 0,
                "state": "complete" if complete else "pruned",
                "driver": "past",
                "number": number,
                "granted": cells,
                "configuration_id": configuration.identity,
                "value": means[-1],
                "reason": "",
            }
        )
    with store.engine.begin() as connection:
        connection.execute(sa.insert(SlotRow), rows)
