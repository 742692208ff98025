"""Finalists chosen by what sees no group: what is confirmed, what is corrected, what labels would have chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import ConfigurationError, InputError, RunError
from spectrosim_search.config.study import Confirmation, Study
from spectrosim_search.deploy.export import export
from spectrosim_search.report.headline import facts
from spectrosim_search.report.members import members
from spectrosim_search.report.page import render
from spectrosim_search.search.budget import confirmation_replicates
from spectrosim_search.search.candidates import best_trials, choose_candidates
from spectrosim_search.search.committee import averaged_cells, choose_committee
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.documents.checks import study_problems
from spectrosim_search.search.label_free import CRITERIA, criterion, ranking
from spectrosim_search.search.records import MethodRow, StudyRecord
from spectrosim_search.search.run import run_study
from spectrosim_search.search.selection import choice_optimism, select
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.simulators import simulate
from tests.search.test_committee import prepared

FREE = ("effective-rank", "uniformity", "alignment-uniformity")
ALONE = ("confirmation.committee=0", "confirmation.seeds=2", "confirmation.minimum_seeds=1")


def chosen_by(name: str, *options: str, batches: int = 12, folder: Path) -> StudyRecord:
    given = ("budget.trials=9", "confirmation.finalists=1", f"confirmation.selection={name}")
    asked = prepared(*given, *options, batches=batches)
    return run_study(asked, storage=f"sqlite:///{folder}/s.db", workers=0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("free")


@pytest.fixture(scope="module")
def record(folder: Path) -> StudyRecord:
    """One finalist and a committee of four out of nine linear metrics, by uniformity."""
    return chosen_by("uniformity", folder=folder)


def asking(record: StudyRecord, name: str) -> StudyRecord:
    confirmation = replace(record.study.confirmation, selection=name)
    return replace(record, study=replace(record.study, confirmation=confirmation))


def row_of(record: StudyRecord, trial: int) -> MethodRow:
    assert record.confirmation is not None
    identity = next(t.configuration_id for t in record.trials if t.number == trial)
    return next(r for r in record.confirmation.rows if r.configuration_id == identity)


@pytest.mark.parametrize("name", FREE)
def test_trials_are_ranked_by_the_mean_over_their_cells(record: StudyRecord, name: str) -> None:
    by = ranking(asking(record, name))
    assert by is not None and by == criterion(record, name)
    for t in record.trials:
        own = [r.metrics for r in record.finished("search") if r.trial_number == t.number]
        sign, parts = {
            "effective-rank": (1, ("embedding_rank",)),
            "uniformity": (-1, ("uniformity",)),
            "alignment-uniformity": (-1, ("alignment", "uniformity")),
        }[name]
        assert by[t.number] == pytest.approx(sign * np.mean([sum(m[p] for p in parts) for m in own]))
    best = best_trials(record.trials, 3, by)
    assert [by[t.number] for t in best] == sorted(by.values(), reverse=True)[:3]


def test_the_score_chooses_unless_told_otherwise(record: StudyRecord) -> None:
    assert ranking(asking(record, "score")) is None
    assert Confirmation().selection == "score"
    assert [c.labels_choose for c in choose_candidates(record.trials, {}, finalists=2, seeds=1, preset_seeds=1)] == [
        False,
        False,
    ]


def test_what_labels_choose_stands_beside_the_finalists(record: StudyRecord) -> None:
    by = ranking(record)
    assert by is not None
    labels = best_trials(record.trials, 1)[0]
    wanted = best_trials(record.trials, 1, by)[0]
    assert labels.number != wanted.number  # else this world shows nothing
    assert record.confirmation is not None
    assert record.confirmation.labels_trial == labels.number
    finalist, other = row_of(record, wanted.number), row_of(record, labels.number)
    assert finalist.seeds == other.seeds == 3
    assert other.title == f"Trial {labels.number}, what labels choose"
    assert other.kind == "finalist"  # whatever its score: it does not compete
    assert "among the finalists chosen without labels" in finalist.note
    assert "chosen without labels" not in other.note
    committee = choose_committee(record.trials, record.study.confirmation, "matched_auc", by)
    assert committee is not None
    assert list(committee.trials) == [t.number for t in best_trials(record.trials, 4, by)]
    assert any("ommittee" in r.title for r in record.confirmation.rows)


def test_each_is_corrected_for_the_choice_that_made_it(record: StudyRecord) -> None:
    bench = Workbench(simulate("reims", batches=12, channels=64, seed=5), record.study)
    design, study, by = bench.design, record.study, ranking(record)
    contenders = [
        *choose_candidates(record.trials, {}, finalists=1, seeds=3, preset_seeds=1, by=by),
        choose_committee(record.trials, study.confirmation, study.metric, by),
    ]
    found = [c for c in contenders if c is not None]
    for one in (*found[:-1], *found[-1].members):  # type: ignore[attr-defined]  # the last is the committee
        for r in record.finished("confirm"):
            if r.configuration_id == one.identity and r.seed < 1000 + one.seeds:  # type: ignore[union-attr]  # a candidate
                one.add(r)  # type: ignore[union-attr]  # a candidate
    search = {t.number: [r for r in record.finished("search") if r.trial_number == t.number] for t in record.trials}
    selection = select(bench, found, search)
    assert not any(c.labels_choose and c.competes for c in found)
    assert selection.winner.competes
    competing = {c.name: averaged_cells(search, c.trials) for c in found if c.competes}
    assert len(competing) == 2
    among = choice_optimism(competing, design.units, study.metric, study.seed)
    every = choice_optimism({str(n): [r.pairs for r in rs] for n, rs in search.items()}, design.units, study.metric, 0)
    for c in found:
        assert selection.taken_off(c) == (among if c.competes else every)
    assert every > 0
    assert record.confirmation is not None
    assert record.confirmation.verdict.optimism == among
    assert f"corrected for its selection by {every:.3f}" in row_of(record, record.confirmation.labels_trial).note


def test_one_finalist_without_labels_has_nothing_to_correct(tmp_path: Path) -> None:
    record = chosen_by("effective-rank", *ALONE, folder=tmp_path)
    by = ranking(record)
    assert by is not None and record.confirmation is not None
    assert record.confirmation.winner_trial == best_trials(record.trials, 1, by)[0].number
    assert record.confirmation.verdict.optimism == 0
    assert (
        "chosen without labels, and nothing is taken off the winner's score"
        in dict(facts(record))["How the score was obtained"]
    )
    labels = row_of(record, record.confirmation.labels_trial)
    assert labels.difference is not None
    winner = row_of(record, record.confirmation.winner_trial)
    gap = winner.metrics["matched_auc"].value - labels.metrics["matched_auc"].value
    assert labels.difference.value == pytest.approx(gap, abs=1e-9)


def test_held_out_groups_compare_it_with_what_labels_choose(tmp_path: Path) -> None:
    options = (*ALONE, "protocol.scoring=hold-out")
    record = chosen_by("effective-rank", *options, batches=24, folder=tmp_path)
    assert record.confirmation is not None and record.confirmation.scoring == "hold-out"
    shown = [r.configuration_id for r in record.confirmation.rows if r.kind in ("winner", "finalist")]
    held = {r.configuration_id for r in record.replicates if r.phase == "hold-out"}
    labels = row_of(record, record.confirmation.labels_trial)
    winner = row_of(record, record.confirmation.winner_trial)
    assert held == set(shown) == {labels.configuration_id, winner.configuration_id}
    assert labels.configuration_id != winner.configuration_id
    with pytest.raises(InputError, match="is closed"):
        chosen_by("score", *options, batches=24, folder=tmp_path)


def test_the_report_and_the_export_say_so(record: StudyRecord) -> None:
    assert record.confirmation is not None
    said = dict(facts(record))["Finalists chosen by"]
    assert said.startswith("uniformity of embeddings, which sees no group; labels would have chosen trial ")
    assert f"trial {record.confirmation.labels_trial}: matched-label AUC" in said and "winner - that trial" in said
    assert "what labels choose" in render(record)
    figure = next(m for m in members() if m.name == "label-free").build(record)
    assert "Here finalists were chosen by uniformity." in figure.layout.meta["note"]
    assert "(finalists by uniformity, without labels)" in export(
        replace(record, confirmation=replace(record.confirmation, export_kind="model"))
    )


def test_a_confirmation_may_be_asked_again_by_another_choice(record: StudyRecord, folder: Path) -> None:
    """The question stays the same, and what was trained is not trained again."""
    by_score = chosen_by("score", folder=folder)
    assert by_score.study.question == record.study.question
    assert by_score.confirmation is not None and by_score.confirmation.labels_trial == -1
    before = {r.key for r in record.replicates}
    assert before <= {r.key for r in by_score.replicates}
    again = chosen_by("uniformity", folder=folder)
    assert again.confirmation is not None and record.confirmation is not None
    assert again.confirmation.rows == record.confirmation.rows
    with Store(f"sqlite:///{folder}/s.db") as store:
        assert len(store.replicates("s", "confirm")) == sum(r.phase == "confirm" for r in again.replicates)


def test_where_nothing_was_stored(record: StudyRecord) -> None:
    bare = replace(record, replicates=tuple(replace(r, metrics={}) for r in record.replicates))
    for name in CRITERIA:
        with pytest.raises(RunError, match=r"stored its .*: choose by score"):
            ranking(asking(bare, name))
    assert ranking(replace(asking(bare, "uniformity"), trials=())) == {}


def test_what_is_set_aside_for_it() -> None:
    plain = Study(name="s", confirmation=Confirmation(presets=(), finalists=2, seeds=5))
    free = replace(plain, confirmation=replace(plain.confirmation, selection="uniformity"))
    assert confirmation_replicates(free, 3) - confirmation_replicates(plain, 3) == 5 * 3


def test_what_it_does_not_go_with() -> None:
    with pytest.raises(ConfigurationError, match="did you mean 'uniformity'"):
        load_study("whitened", set_=["confirmation.selection=uniformiti"])
    with pytest.raises(ConfigurationError, match=r"confirmation\.front: trials of the front are chosen by score"):
        load_study(
            "whitened",
            set_=["confirmation.selection=uniformity", "objectives=[score,parameters]", "confirmation.front=1"],
        )
    free = Confirmation(presets=(), selection="uniformity")
    (problem,) = study_problems(Study(name="s", task="identify", metric="accuracy", confirmation=free), "s.yaml")
    assert problem == "s.yaml: confirmation.selection: uniformity is known in task same-batch alone: give score"
