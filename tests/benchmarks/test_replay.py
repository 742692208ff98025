from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import optuna
import pytest

from benchmarks._made_up import LIKE, Spreads, made_up_table
from benchmarks._proposing import coordinates, distances
from benchmarks._replay import Method, Permutation, Trace, climb, halving, hyperband, plain, pruner
from benchmarks._table import Table, cost
from benchmarks.search_efficiency import compare, methods, summary
from spectrosim_search.config.study import Dimension, Ladder

EASY = Spreads(worth=0.05, cell=0.02, fold=0.0, seed=0.0)  # every cell ranks the configurations alike


SEARCHES: dict[str, Method] = {
    "plain": plain,
    "ladder": climb(Ladder()),
    "halving": halving(),
    "Hyperband": hyperband(),
    "median": pruner(lambda cells: optuna.pruners.MedianPruner()),
}


@pytest.fixture(scope="module")
def table() -> Table:
    return made_up_table(LIKE["maldi-species"], size=40, epochs=10)


def best_of(table: Table) -> float:
    return max(e.score for e in table.entries)


def test_plain_spends_everything_and_ends_with_the_best(table: Table) -> None:
    trace = plain(table, Permutation.seeded(40, 3), 40)
    assert trace.spent == cost(table) == 40 * 12 * 10
    assert trace.steps[-1][1] == best_of(table)
    assert [worth for _, worth in trace.steps] == sorted(worth for _, worth in trace.steps)


def test_a_permutation_hands_out_every_place_once() -> None:
    draw = Permutation.seeded(20, 1)
    drawn = [draw.next() for _ in range(21)]
    assert sorted(p for p in drawn if p is not None) == list(range(20))
    assert drawn[-1] is None
    assert Permutation.seeded(20, 1).order != Permutation.seeded(20, 2).order


def test_until_is_the_first_time_the_target_is_held(table: Table) -> None:
    trace = Trace(table, steps=[(10, 0.6), (50, 0.7), (90, 0.8)])
    assert [trace.until(x) for x in (0.5, 0.6, 0.65, 0.8, 0.81)] == [10, 10, 50, 90, math.inf]


@pytest.mark.parametrize("name", list(SEARCHES))
def test_a_method_that_ends_at_its_target_has_spent_what_it_would_have(table: Table, name: str) -> None:
    method, target = SEARCHES[name], sorted(e.score for e in table.entries)[-3]
    whole = method(table, Permutation.seeded(40, 4), 40)
    ended = method(table, Permutation.seeded(40, 4), 40, target)
    assert ended.until(target) == whole.until(target) < math.inf
    assert ended.spent < whole.spent
    assert not whole.reached
    assert ended.reached


def test_where_all_cells_agree_every_method_finds_the_best_for_less() -> None:
    easy = made_up_table(EASY, size=40, epochs=10)
    for method in (climb(Ladder()), halving(), hyperband()):
        trace = method(easy, Permutation.seeded(40, 0), 40)
        assert trace.steps[-1][1] == best_of(easy)
        assert trace.spent < 0.6 * cost(easy)


def test_the_ladder_without_any_rule_is_a_plain_study(table: Table) -> None:
    free = Ladder(rungs=(), curves=False, p_value=0.0)
    trace = climb(free)(table, Permutation.seeded(40, 5), 40)
    assert trace.spent == cost(table)
    assert trace.steps == plain(table, Permutation.seeded(40, 5), 40).steps


def test_curves_and_holding_save_epochs(table: Table) -> None:
    ladder = Ladder()

    def spent(changed: Ladder, *, hold: bool = True) -> int:
        return climb(changed, hold=hold)(table, Permutation.seeded(40, 7), 40).spent

    assert spent(ladder) < spent(replace(ladder, curves=False))
    assert spent(ladder) < spent(ladder, hold=False)


def test_an_optuna_pruner_that_never_prunes_is_a_plain_study(table: Table) -> None:
    draws = [Permutation.seeded(40, 2) for _ in range(2)]
    never = pruner(lambda cells: optuna.pruners.NopPruner())(table, draws[0], 40)
    assert never.steps == plain(table, draws[1], 40).steps
    median = pruner(lambda cells: optuna.pruners.MedianPruner())(table, Permutation.seeded(40, 2), 40)
    assert median.spent < never.spent


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_compare_measures_every_method_against_the_same_plain_study(table: Table) -> None:
    found = compare(table, methods(table, all_ladders=False), trials=20, repetitions=4)
    assert {len(shares) for shares in found.values()} == {4}
    assert all(0 < share <= 1 for share in found["plain (random search)"])
    assert np.median(found["ladder"]) < 1


def test_summary_counts_those_that_never_got_there() -> None:
    assert summary([0.1, 0.2, math.inf, 0.4]) == (0.2, 0.1, 0.4, 0.75)
    assert summary([math.inf, math.inf, 0.5])[0] == math.inf


def test_distances_are_on_each_dimensions_scale() -> None:
    space = (
        Dimension("rate", "float", 0.001, 0.1, log=True),
        Dimension("kind", "categorical", choices=("a", "b")),
        Dimension("depth", "int", 1, 5, when=(("kind", ("b",)),)),
    )
    one = coordinates(space, {"rate": 0.001, "kind": "a"})
    assert one[:2].tolist() == [0.0, 0.0]
    assert math.isnan(one[2])
    many = np.stack(
        [
            one,
            coordinates(space, {"rate": 0.1, "kind": "a"}),
            coordinates(space, {"rate": 0.01, "kind": "b", "depth": 5}),
        ]
    )
    assert distances(space, one, many) == pytest.approx([0.0, 1.0, 0.25 + 1.0 + 1.0])
