"""A report of a study whose committee won: its members are marked wherever a single winner would be."""

from __future__ import annotations

import dataclasses

import pytest

from spectrosim_search.report.headline import facts
from spectrosim_search.report.members import members
from spectrosim_search.report.page import render
from spectrosim_search.report.trials import winner_name, winners
from spectrosim_search.search.candidates import best_trials
from spectrosim_search.search.records import StudyRecord


@pytest.fixture(scope="module")
def won(rich: StudyRecord) -> StudyRecord:
    assert rich.confirmation is not None
    chosen = tuple(t.number for t in best_trials(rich.trials, 4))
    confirmation = dataclasses.replace(
        rich.confirmation, winner_trial=-1, winner_members=chosen, winner_configuration_id="c0c0c0c0c0c0c0c0"
    )
    return dataclasses.replace(rich, confirmation=confirmation)


def test_names(won: StudyRecord, rich: StudyRecord, unconfirmed: StudyRecord) -> None:
    assert rich.confirmation is not None
    assert winners(rich) == (rich.confirmation.winner_trial,)
    assert winners(unconfirmed) == ()
    assert len(winners(won)) == 4
    assert (winner_name(rich), winner_name(won)) == ("winner", "winning committee")


def test_the_facts_name_the_members(won: StudyRecord) -> None:
    said = dict(facts(won))
    assert said["Winner"].startswith(f"committee of trials {', '.join(map(str, winners(won)))}:")
    assert said["Recommended for export"] == "the committee"


def test_every_figure_can_be_drawn_and_marks_the_members(won: StudyRecord, rich: StudyRecord) -> None:
    for member in members():
        assert (member.build(won) is None) == (member.build(rich) is None), member.name
    history = next(m for m in members() if m.name == "history").build(won)
    (marks,) = [t for t in history.data if t.name == "winning committee of the confirmation"]
    assert sorted(marks.x) == sorted(winners(won))


def test_the_page_holds_every_member(won: StudyRecord) -> None:
    page = render(won)
    for number in winners(won):
        assert f"Configuration of a member of the winning committee, trial {number} " in page
