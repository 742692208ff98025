"""What the field keeps up to date equals what follows from its trials and results."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Literal

import numpy as np
import optuna
import pytest

from spectrosim_search.search.driver_field import Field
from spectrosim_search.search.ladder import Climb
from spectrosim_search.search.records import ReplicateRecord
from spectrosim_search.search.space import suggest
from spectrosim_search.search.store_slots import Slot
from spectrosim_search.search.workbench import Workbench
from tests.search.searching import small_spectra, small_study


@pytest.fixture(scope="module")
def bench() -> Workbench:
    return Workbench(small_spectra(), small_study(50))


def replicate(
    key: str, cell: int, score: float, status: Literal["finished", "stopped"] = "finished"
) -> ReplicateRecord:
    curve = np.full((3, 2), score, dtype=np.float32)
    empty = np.zeros(0, dtype=np.float32)
    return ReplicateRecord(
        key,
        "search",
        "c",
        0,
        cell,
        0,
        0,
        status,
        "",
        score,
        {},
        curve,
        empty,
        (2, 2),
        (),
        "w",
        0.0,
        1.0,
        2.0,
        "e",
    )


def naive(field: Field, slot: int) -> Climb:
    trial = field.trials[slot]
    scores: list[float] = []
    for key in trial.keys:
        result = field.results.get(key)
        if result is None:
            break
        scores.append(result.score)
        if result.status != "finished":
            break
    broken = [
        field.results[k].status for k in trial.keys if k in field.results and field.results[k].status != "finished"
    ]
    return Climb(tuple(scores), trial.slot.granted, broken[0] if broken else "")


def test_climbs_states_and_costs_stay_right_under_random_changes(bench: Workbench) -> None:
    rng = np.random.default_rng(5)
    field = Field(bench)
    stored = 0
    for _ in range(400):
        action = rng.integers(5)
        if action == 0 or not field.trials:
            number = int(rng.integers(30))  # slots come in any order where several drivers work
            drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=number % 20))
            slot = Slot(number, number % 3, "running", "me", number, 1, "", None, "")
            field.add_trial(slot, number, suggest(drawn.ask(), bench.study), mine=bool(number % 4))
            continue
        chosen = field.trials[int(rng.choice(sorted(field.trials)))]
        if action == 1:
            field.drop(chosen.slot.slot)
        elif action == 2:
            field.change(chosen, replace(chosen.slot, granted=int(rng.integers(1, 6))))
        elif action == 3 and chosen.open:
            field.change(chosen, replace(chosen.slot, state="pruned"))
        else:
            cell = int(rng.integers(len(chosen.keys)))
            status: Literal["finished", "stopped"] = "stopped" if rng.random() < 0.1 else "finished"
            stored += chosen.keys[cell] not in field.results
            field.add_result(replicate(chosen.keys[cell], cell, float(rng.random()), status), 2)
        expected = [naive(field, slot) for slot in sorted(field.trials)]
        found = list(field.climbs())
        assert [(c.scores, c.granted, bool(c.broken)) for c in found] == [
            (c.scores, c.granted, bool(c.broken)) for c in expected
        ]
        assert +field.states == Counter(t.slot.state for t in field.trials.values())
        assert field.failures == sum(t.slot.attempt for t in field.trials.values())
        assert field.open_trials() == [t for _, t in sorted(field.trials.items()) if t.open]
        for place, climb in zip(sorted(field.trials), found, strict=True):
            assert field.climb(field.trials[place]) is climb
    assert len(field.results) == stored > 50
    assert field.mean_seconds() == 2.0
