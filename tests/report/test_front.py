"""The Pareto front in the report: table, facts, figure, each with the numbers of the record."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest

from spectrosim_search.report.figures import pareto
from spectrosim_search.report.front import front_facts, front_rows, front_section, objective_text
from spectrosim_search.report.headline import facts
from spectrosim_search.report.page import render
from spectrosim_search.search.pareto import pareto_trials
from spectrosim_search.search.records import StudyRecord


def only(record: StudyRecord, *objectives: str) -> StudyRecord:
    return dataclasses.replace(record, study=dataclasses.replace(record.study, objectives=objectives))


def test_the_table_holds_the_front(rich: StudyRecord) -> None:
    trials = pareto_trials(rich)
    assert 2 <= len(trials) < len(rich.trials)
    text = front_section(rich)
    numbers = [int(n) for n in re.findall(r'<th scope="row">(\d+)</th>', text)]
    assert numbers == [t.number for t in trials]
    for t in trials:
        for name in ("score", "inference_time", "parameters"):
            assert f"<td>{objective_text(name, t.objectives[name])}</td>" in text
    assert "measured (ms)" not in text, "nothing was measured"
    assert text in render(rich)
    assert front_section(only(rich, "score")) == ""


def test_measured_times_and_confirmed_scores_get_a_column(rich: StudyRecord) -> None:
    front = pareto_trials(rich)
    assert rich.confirmation is not None
    winner, other, *_ = rich.confirmation.rows
    row = dataclasses.replace(other, configuration_id=front[0].configuration_id)
    rows = (dataclasses.replace(winner, configuration_id=""), row)
    confirmation = dataclasses.replace(rich.confirmation, rows=rows)
    trials = tuple(dataclasses.replace(t, measured_inference=1.25) if t is front[1] else t for t in rich.trials)
    text = front_section(dataclasses.replace(rich, trials=trials, confirmation=confirmation))
    assert "measured (ms)" in text and "<td>1.25</td>" in text
    assert "confirmed score" in text and "<td>.869 [.824, .914]</td>" in text


def test_before_a_trial_is_finished_the_table_says_so(empty: StudyRecord) -> None:
    assert "No trial has finished" in front_section(empty)
    assert "no trial has finished" in front_facts(empty)[0][1]


def test_facts_name_the_objectives_and_the_front(rich: StudyRecord) -> None:
    told = dict(facts(rich))["Objectives"]
    assert told.startswith("highest score, lowest inference time, counted (ms for 64 spectra), lowest parameters; ")
    assert str(pareto_trials(rich)[0].number) in told
    assert "Objectives" not in dict(facts(only(rich, "score")))


def test_rows_leave_out_columns_that_nothing_fills() -> None:
    rows = front_rows(("score", "parameters"), [(3, {"score": 0.81234, "parameters": 12345.0}, None, "")])
    assert rows == [{"trial": "3", "score": ".812", "parameters": "12,345"}]


def test_the_figure_marks_the_front_in_every_panel(rich: StudyRecord) -> None:
    figure = pareto.build(rich)
    assert figure is not None
    front = {t.number for t in pareto_trials(rich)}
    for axis, name in (("x", "inference_time"), ("x2", "parameters")):
        marked = set()
        points = 0
        for trace in figure.data:
            if trace.xaxis == axis:
                points += len(trace.x)
                rims = trace.marker.line.width
                for i, text in enumerate(trace.text):
                    number = int(re.match(r"trial (\d+)", text).group(1))  # type: ignore[union-attr]  # else the test fails
                    trial = next(t for t in rich.trials if t.number == number)
                    assert trace.x[i] == pytest.approx(trial.objectives[name], rel=1e-4)
                    if isinstance(rims, tuple) and rims[i] > 0:
                        marked.add(number)
        assert marked == front
        assert points == sum(t.value is not None for t in rich.trials)


def test_two_objectives_give_a_staircase_that_falls_nowhere(rich: StudyRecord) -> None:
    figure = pareto.build(only(rich, "score", "parameters"))
    assert figure is not None
    steps = next(t for t in figure.data if t.mode == "lines")
    assert list(steps.x) == sorted(steps.x) and list(steps.y) == sorted(steps.y)
    assert len(steps.x) == len(pareto_trials(only(rich, "score", "parameters"))) >= 2


def test_one_objective_has_no_figure_and_says_why(build: Callable[..., StudyRecord]) -> None:
    record = only(build(20), "score")
    assert pareto.build(record) is None
    assert "score alone" in pareto.missing(record)
