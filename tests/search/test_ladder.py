from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from spectrosim_search.config.study import Budget, Ladder, Study
from spectrosim_search.search.ladder import Climb, incumbent, judge, paired_p_value, rungs
from spectrosim_search.search.ladder_curves import QUANTILE, SLACK, Curves
from spectrosim_search.search.plan import expected_replicates

LADDER = Ladder(rungs=(1, 3, 6), keep=1 / 3, minimum=8, p_value=0.1)
CELLS = 12


def test_rungs_end_with_all_cells() -> None:
    assert rungs(LADDER, 12) == (1, 3, 6, 12)
    assert rungs(LADDER, 6) == (1, 3, 6)
    assert rungs(LADDER, 4) == (1, 3, 4)
    assert rungs(Ladder(rungs=()), 4) == (4,)


def test_below_the_minimum_every_trial_goes_on() -> None:
    field = [Climb((s / 10,), 1) for s in range(7)]
    assert [judge(t, field, LADDER, CELLS).action for t in field] == ["go on"] * 7
    assert judge(field[0], field, LADDER, CELLS).granted == 3


def test_the_first_trials_wait_at_the_first_rung_while_more_are_to_come() -> None:
    field = [Climb((s / 10,), 1) for s in range(7)]
    assert [judge(t, field, LADDER, CELLS, more=True).action for t in field] == ["wait"] * 7
    field.append(Climb((0.75,), 1))
    actions = [judge(t, field, LADDER, CELLS, more=True).action for t in field]
    assert actions == ["prune"] * 5 + ["go on"] * 3
    # the last of all trials is on its way: they wait for it
    assert judge(field[0], [*field[:6], Climb((), 1)], LADDER, CELLS).action == "wait"
    assert judge(field[0], [*field[:6], Climb((), 1, broken="its score is undefined")], LADDER, CELLS).action == "go on"
    # not for one that is no longer asked for
    assert judge(field[0], [*field[:6], Climb((), 1, left=True)], LADDER, CELLS).action == "go on"
    # the second rung holds nobody back
    assert judge(Climb((0.7, 0.7, 0.7), 3), field, LADDER, CELLS, more=True).granted == 6


@pytest.mark.parametrize(("trials", "kept"), [(8, 3), (9, 3), (10, 4), (30, 10)])
def test_the_top_third_goes_on(trials: int, kept: int) -> None:
    field = [Climb((s / 100,), 1) for s in range(trials)]
    passed = [t.scores[0] for t in field if judge(t, field, LADDER, CELLS).action == "go on"]
    assert passed == [s / 100 for s in range(trials - kept, trials)]


@pytest.mark.parametrize("steps", [(), (2,), (1, 3), (1, 3, 6)])
def test_a_plan_counts_what_a_ladder_trains_whose_test_stops_nobody(steps: tuple[int, ...]) -> None:
    ladder = Ladder(rungs=steps, keep=1 / 3, minimum=8, p_value=0.0)
    drawn = np.random.default_rng(5).uniform(size=(270, CELLS)).cumsum(axis=1)  # ranks that seldom change
    field = [Climb((), rungs(ladder, CELLS)[0]) for _ in drawn]
    going = list(range(len(field)))
    for n in range(1, CELLS + 1):
        for i in going:
            field[i] = Climb(tuple(drawn[i, :n]), field[i].granted)
        judged = {i: judge(field[i], field, ladder, CELLS) for i in going}
        for i, step in judged.items():
            field[i] = Climb(field[i].scores, step.granted)
        going = [i for i, step in judged.items() if step.action != "prune"]
    study = Study(name="x", ladder=ladder, budget=Budget(trials=len(field)))
    assert expected_replicates(study, CELLS) == pytest.approx(sum(len(t.scores) for t in field), rel=0.02)


def test_rank_counts_every_trial_that_reached_the_rung() -> None:
    deep = [Climb((0.9, 0.9, 0.9), 6) for _ in range(3)]
    shallow = [Climb((0.8,), 1) for _ in range(6)]
    step = judge(shallow[0], deep + shallow, LADDER, CELLS)
    assert step.action == "prune"
    assert step.reason == "rank 4 of 9 trials after 1 cell"
    # at the second rung only the three deep ones count, fewer than the minimum
    assert judge(Climb((0.1, 0.1, 0.1), 3), [*deep, Climb((0.1, 0.1, 0.1), 3)], LADDER, CELLS).granted == 6


def test_a_trial_waits_for_its_cells_and_completes() -> None:
    assert judge(Climb((), 1), [], LADDER, CELLS).action == "wait"
    assert judge(Climb((0.7, 0.7), 3), [], LADDER, CELLS).action == "wait"
    assert judge(Climb((0.7,) * 12, 12), [], LADDER, CELLS).action == "complete"


def test_broken_trials_are_pruned_with_their_reason_at_once() -> None:
    step = judge(Climb((0.5,), 1, broken="cell 0 diverged: loss"), [], LADDER, CELLS)
    assert (step.action, step.reason) == ("prune", "cell 0 diverged: loss")
    assert judge(Climb((0.9,) * 12, 12, broken="cell 11 diverged"), [], LADDER, CELLS).action == "prune"


def test_from_the_last_rung_the_incumbent_decides() -> None:
    rng = np.random.default_rng(0)
    cells = rng.normal(0.8, 0.05, CELLS)
    best = Climb(tuple(cells + 0.02), 12)
    worse = Climb(tuple((cells - 0.05 + rng.normal(0, 0.005, CELLS))[:6]), 6)
    equal = Climb(tuple((cells + 0.02 + rng.normal(0, 0.01, CELLS))[:6]), 6)
    field = [best, worse, equal]
    assert judge(worse, field, LADDER, CELLS).action == "prune"
    assert judge(equal, field, LADDER, CELLS).action == "go on"
    assert judge(equal, field, LADDER, CELLS).granted == CELLS
    assert judge(worse, [worse, equal], LADDER, CELLS).action == "go on", "nobody finished: nobody to compare with"
    # granted all cells and still climbing: tested again at seven cells
    later = Climb((*worse.scores, cells[6] - 0.05), 12)
    assert judge(later, field, LADDER, CELLS).action == "prune"
    assert judge(Climb(tuple(equal.scores), 12), field, LADDER, CELLS).action == "wait"


def test_the_incumbent_is_complete_unbroken_and_the_earliest_of_equals() -> None:
    first, second = Climb((0.8,) * 12, 12), Climb((0.8,) * 12, 12)
    assert incumbent([Climb((0.9,) * 6, 6), Climb((1.0,) * 12, 12, "diverged"), first, second], CELLS) is first
    assert incumbent([], CELLS) is None


def test_p_value_is_the_paired_t_test() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.8, 0.1, 9), rng.normal(0.78, 0.1, 9)
    assert paired_p_value(a, b) == pytest.approx(stats.ttest_rel(a, b, alternative="greater").pvalue, rel=1e-9)
    assert paired_p_value(a[:2], b[:2]) == 1.0
    assert paired_p_value([0.5] * 4, [0.5] * 4) == 1.0
    assert paired_p_value([0.75] * 4, [0.5] * 4) == 0.0


def _curve(scores: list[float]) -> np.ndarray:
    return np.array([[0.5, 0.5], *([s, s] for s in scores)], dtype=np.float32)


def reference_curve(curves: list[tuple[np.ndarray, int]], epochs: int) -> np.ndarray | None:
    kept = Curves()
    for curve, schedule in curves:
        kept.add(curve, schedule)
    return kept.reference(epochs)


def test_curves_added_one_by_one_give_the_quantile_of_all() -> None:
    rng = np.random.default_rng(3)
    kept, rows = Curves(), []
    for number in range(200):
        schedule = int(rng.integers(4, 12))
        scores = rng.random(int(rng.integers(1, schedule + 1)))
        kept.add(_curve(scores.tolist()), schedule)
        best = np.maximum.accumulate([0.5, *scores])[1:].astype(np.float32)  # what training started from counts too
        places = [min(math.ceil((e + 1) / 10 * schedule - 1e-9) - 1, len(best) - 1) for e in range(10)]
        rows.append(best[places])
        reference = kept.reference(10)
        if number >= 7:
            expected = np.quantile(np.stack(rows), QUANTILE, axis=0, method="lower") - SLACK
            assert reference is not None
            np.testing.assert_allclose(reference[3:], expected[3:], atol=1e-6)


def test_reference_needs_eight_curves_and_spares_the_warm_up() -> None:
    curves = [(_curve([0.6 + 0.01 * i] * 10), 10) for i in range(7)]
    assert reference_curve(curves, 10) is None
    reference = reference_curve([*curves, (_curve([0.9] * 10), 10)], 10)
    assert reference is not None
    assert reference.shape == (10,)
    assert np.isneginf(reference[:3]).all()
    assert reference[3:] == pytest.approx(0.61 - SLACK)  # the second lowest of eight


def test_reference_is_the_best_so_far_at_the_same_share_of_the_schedule() -> None:
    # early best, then decline, then stopped early: the best so far holds to the end
    curves = [(_curve([0.7, 0.8, 0.6]), 6) for _ in range(8)]
    reference = reference_curve(curves, 12)
    assert reference is not None
    assert reference[3:] == pytest.approx(0.8 - SLACK)
    rising = [(_curve([0.5, 0.6, 0.7, 0.8]), 4) for _ in range(8)]
    assert reference_curve(rising, 4)[1:] + SLACK == pytest.approx([0.6, 0.7, 0.8])  # type: ignore[index, operator]
    assert reference_curve(rising, 8)[2:] + SLACK == pytest.approx([0.6, 0.6, 0.7, 0.7, 0.8, 0.8])  # type: ignore[index, operator]
