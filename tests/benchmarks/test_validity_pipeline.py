"""Whole studies of nothing: how often the verdict calls a winner better where none is."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import pytest

from benchmarks.validity_pipeline import ALLOWED, SCORINGS, Repetition, Scoring, better, read, run, table

ROOT = Path(__file__).parents[2]


def made_up(repetition: int, outcome: str) -> Repetition:
    return Repetition("nested", repetition, outcome, 0.5, 0.0, -0.1, 0.1, 0.05, 1.0)


def test_share_of_winners_and_what_chance_explains() -> None:
    share, limit = better([made_up(i, "better" if i < 6 else "cannot tell") for i in range(100)])
    assert share == 0.06
    assert limit == pytest.approx(0.05 + 2 * math.sqrt(0.05 * 0.95 / 100))
    assert "| `nested` | 24 | 2 | 50.0% | 1.000 |" in table([made_up(0, "better"), made_up(1, "not worse")])


def test_an_interval_that_leaves_out_no_difference_is_counted() -> None:
    found = [made_up(i, "cannot tell") for i in range(3)]
    above = dataclasses.replace(found[0], low=0.01)
    below = dataclasses.replace(found[1], high=-0.01)
    none = dataclasses.replace(found[2], low=math.nan, high=math.nan)
    assert "| 0.500 |" in table([above, found[1], below, none]), "no interval leaves out nothing"


def binomial_tail(n: int, least: int, p: float) -> float:
    return sum(math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(least, n + 1))


@pytest.mark.slow
def test_few_studies_of_nothing_find_a_winner_and_a_file_is_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "some.jsonl"
    found = run(SCORINGS, 2, out, workers=1)
    assert {(r.scoring, r.repetition) for r in found} == {(s, i) for s in SCORINGS for i in range(2)}
    winners = sum(r.outcome == "better" for r in found)
    assert binomial_tail(len(found), winners, ALLOWED) > 1e-3
    assert all(0 < r.winner < 1 and r.low <= r.difference <= r.high for r in found)
    first, *rest = out.read_text().splitlines()
    out.write_text("\n".join([*rest, first[: len(first) // 2]]))  # the last line was cut by a crash
    assert len(read(out)) == len(found) - 1
    again = run(SCORINGS, 2, out, workers=1)
    timeless = [{dataclasses.replace(r, seconds=0.0) for r in records} for records in (again, found)]
    assert timeless[0] == timeless[1]
    kept = {(r.scoring, r.repetition): r.seconds for r in found[1:]}
    assert {k: r.seconds for r in again if (k := (r.scoring, r.repetition)) in kept} == kept


@pytest.mark.full
@pytest.mark.timeout(4 * 3600)
@pytest.mark.parametrize("scoring", SCORINGS)
def test_of_300_studies_of_nothing_at_most_one_in_twenty_finds_a_winner(scoring: Scoring) -> None:
    found = run([scoring], 300, ROOT / "runs" / f"validity_pipeline_{scoring}.jsonl", workers=2)
    assert len(found) == 300
    share, limit = better(found)
    assert share <= limit, table(found)
