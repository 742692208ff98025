"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from spectrosim_search.evaluation.scores import Estimate
from spectrosim_search.report import numbers

NAN = float("nan")


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.8741, ".874"), (1.0, "1.000"), (-0.12, "-.120"), (0.0, ".000"), (-0.0001, ".000"), (NAN, "n/a"), (None, "n/a")],
)
def test_scores_have_no_leading_zero(value: float | None, text: str) -> None:
    assert numbers.score(value) == text


def test_score_keeps_inner_zeros() -> None:
    assert numbers.score(10.05) == "10.050"
    assert numbers.score(math.inf) == "n/a"


@pytest.mark.parametrize(("value", "text"), [(0.031, "+.031"), (-0.004, "-.004"), (0.0, "+.000"), (NAN, "n/a")])
def test_differences_carry_their_sign(value: float, text: str) -> None:
    assert numbers.signed(value) == text


def test_intervals() -> None:
    assert numbers.interval(Estimate(0.874, 0.812, 0.921)) == ".874 [.812, .921]"
    assert numbers.interval(Estimate(0.03, -0.01, 0.07), difference=True) == "+.030 [-.010, +.070]"
    assert numbers.interval(Estimate(0.5)) == ".500"
    assert numbers.interval(Estimate(NAN, note="no pairs")) == "n/a"
    assert numbers.interval(None) == "n/a"


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "< .001"), (0.0213, ".021"), (0.34, ".34"), (1.0, "1.00"), (NAN, "n/a")]
)
def test_p_values(value: float, text: str) -> None:
    assert numbers.p_value(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.44, "0.4 s"),
        (12.2, "12 s"),
        (59.7, "1 min"),
        (200, "3 min 20 s"),
        (3600, "1 h"),
        (7500, "2 h 5 min"),
        (NAN, "n/a"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert numbers.duration(seconds) == text


def test_dates_are_utc() -> None:
    assert numbers.date(0.0) == "1970-01-01 00:00 UTC"


def test_scalars() -> None:
    assert [numbers.scalar(v) for v in (True, False, 3, 0.123456, "mlp", None)] == [
        "yes",
        "no",
        "3",
        "0.1235",
        "mlp",
        "n/a",
    ]
