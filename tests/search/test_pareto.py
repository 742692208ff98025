"""The Pareto front against its definition, and who is taken from it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from spectrosim_search.config.study import Confirmation, Study
from spectrosim_search.search.candidates import choose_candidates
from spectrosim_search.search.documents import load_preset
from spectrosim_search.search.pareto import front, further_finalists, on_front, pareto_trials
from spectrosim_search.search.records import DatasetRecord, StudyRecord, TrialRecord

PAPER = load_preset("spectrosim-paper")
OBJECTIVES = ("score", "inference_time", "parameters")


def dominates(a: tuple[float, ...], b: tuple[float, ...], maximise: list[bool]) -> bool:
    pairs = [(x, y) if up else (-x, -y) for x, y, up in zip(a, b, maximise, strict=True)]
    return all(x >= y for x, y in pairs) and any(x > y for x, y in pairs)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_front_is_what_nothing_dominates(seed: int, k: int) -> None:
    rng = np.random.default_rng(seed)
    points = [tuple(float(v) for v in row) for row in rng.integers(0, 7, size=(60, k))]  # many ties
    maximise = [bool(v) for v in rng.integers(0, 2, size=k)]
    naive = tuple(i for i, p in enumerate(points) if not any(dominates(q, p, maximise) for q in points))
    assert front(points, maximise) == naive
    assert naive


def test_ties_stay_and_undefined_points_leave() -> None:
    points = [(0.9, 2.0), (0.9, 2.0), (0.9, 3.0), (float("nan"), 0.0), (0.1, float("nan")), (0.2, 1.0)]
    assert front(points, [True, False]) == (0, 1, 5)
    assert front([], [True, False]) == ()
    assert front([(float("nan"),)], [True]) == ()


def test_a_row_that_lacks_an_objective_is_left_out() -> None:
    rows = [{"score": 0.5, "parameters": 10.0}, {"score": 0.9}, {"score": 0.4, "parameters": 20.0}]
    assert on_front(rows, ("score", "parameters")) == (0,)


def trial(number: int, score: float, ms: float, count: float, state: str = "COMPLETE", same: int = -1) -> TrialRecord:
    training = dataclasses.replace(PAPER.training, epochs=1 + (number if same < 0 else same))
    configuration = dataclasses.replace(PAPER, training=training)
    values = {"score": score, "inference_time": ms, "parameters": count}
    return TrialRecord(
        number,
        state,  # type: ignore[arg-type]  # one of Optuna's states
        score,
        {},
        configuration,
        configuration.identity,
        {},
        "",
        0.0,
        1.0,
        objectives=values,
    )


def record(*trials: TrialRecord, objectives: tuple[str, ...] = OBJECTIVES, **asked: int) -> StudyRecord:
    study = Study(name="fish", objectives=objectives, confirmation=Confirmation(**asked))  # type: ignore[arg-type]  # ditto
    data = DatasetRecord("f", "fish", 36, 64, 12, 2, "Th", 77.0, 999.0)
    return StudyRecord(study, data, 0.0, trials, (), (), None, ())


TRIALS = (
    trial(0, 0.80, 2.0, 100.0),
    trial(1, 0.90, 9.0, 900.0),
    trial(2, 0.70, 1.0, 200.0),
    trial(3, 0.79, 3.0, 100.0),  # trial 0 is better and quicker
    trial(4, 0.99, 0.1, 1.0, "PRUNED"),  # on fewer cells
    trial(5, 0.90, 9.0, 900.0, same=1),  # trial 1's configuration again
    trial(6, 0.60, 5.0, 50.0),
)


def test_pruned_trials_and_repeated_configurations_are_not_on_the_front() -> None:
    assert [t.number for t in pareto_trials(record(*TRIALS))] == [1, 0, 2, 6]
    assert pareto_trials(record(*TRIALS, objectives=("score",))) == ()
    assert [t.number for t in pareto_trials(record(*TRIALS, objectives=("score", "parameters")))] == [1, 0, 6]


@pytest.mark.parametrize(("asked", "expected"), [(0, [1, 0]), (1, [1, 0, 2]), (9, [1, 0, 2, 6])])
def test_finalists_are_the_best_by_score_and_then_some_of_the_front(asked: int, expected: list[int]) -> None:
    study = record(*TRIALS, finalists=2, front=asked)
    further = further_finalists(study)
    presets = {"paper": PAPER}
    chosen = choose_candidates(study.trials, presets, finalists=2, seeds=3, preset_seeds=2, further=further)
    assert [c.trial for c in chosen if c.kind == "finalist"] == expected
    assert [c.name for c in chosen if c.kind == "preset"] == ["paper"]
    assert len({c.configuration.identity for c in chosen}) == len(chosen)
