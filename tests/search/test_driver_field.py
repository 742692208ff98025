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
    key: str, cell: int, score: float, status: Literal["finished", "stopped"] = "finished", seconds: float = 2.0
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
        seconds,
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


def naive_seconds(field: Field, count: int) -> float:
    """Of a replicate of the best trials with all cells; of all where there is none."""
    whole = [
        (-climb.mean(), place, field.trials[slot])
        for place, (slot, climb) in enumerate(zip(sorted(field.trials), field.climbs(), strict=True))
        if len(climb.scores) == field.cells and not climb.broken
    ]
    best = [trial for _, _, trial in sorted(whole, key=lambda w: w[:2])[:count]]
    seconds = [field.results[key].seconds for trial in best for key in trial.keys]
    return float(np.mean(seconds or [r.seconds for r in field.results.values()]))


def test_climbs_states_and_costs_stay_right_under_random_changes(bench: Workbench) -> None:
    rng = np.random.default_rng(5)
    field = Field(bench)
    stored = whole = 0
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
            score, seconds = float(rng.random()), float(rng.integers(1, 100))
            field.add_result(replicate(chosen.keys[cell], cell, score, status, seconds), 2)
            whole += any(len(c.scores) == field.cells and not c.broken for c in field.climbs())
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
        if field.results:
            assert field.mean_seconds() == pytest.approx(naive_seconds(field, bench.study.confirmation.finalists))
    assert len(field.results) == stored > 50
    assert whole > 10  # looks at which a trial had all cells


def test_a_confirmation_is_reckoned_by_its_finalists_and_not_by_what_was_cheap(bench: Workbench) -> None:
    field = Field(
        Workbench(bench.spectra, replace(bench.study, confirmation=replace(bench.study.confirmation, finalists=1)))
    )
    assert np.isnan(field.mean_seconds())
    drawn = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    trials = [
        field.add_trial(
            Slot(n, n, "running", "me", n, 1, "", None, ""), n, suggest(drawn.ask(), bench.study), mine=True
        )
        for n in range(2)
    ]
    for trial, score, seconds in zip(trials, (0.6, 0.9), (0.01, 30.0), strict=True):
        for cell, key in enumerate(trial.keys):
            field.add_result(replicate(key, cell, score, seconds=seconds), 2)
    assert field.mean_seconds() == 30.0
    field.drop(1)
    assert field.mean_seconds() == 0.01
