"""The committee of the best finished trials as a candidate of the confirmation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.study import Budget, Confirmation
from spectrosim_search.report.page import render
from spectrosim_search.report.table import plain_text
from spectrosim_search.search.budget import committee_seeds, confirmation_replicates
from spectrosim_search.search.candidates import Candidate
from spectrosim_search.search.committee import choose_committee, committee_bias
from spectrosim_search.search.contenders import pick_winner
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.documents.configurations import configuration_from_mapping
from spectrosim_search.search.records import ReplicateRecord, StudyRecord
from spectrosim_search.search.run import Prepared, prepare_study, run_study
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.simulators import simulate

# linear metrics alone: a trial costs milliseconds
QUICK = (
    "training.epochs=0",
    "budget.trials=6",
    "protocol.seeds=1",
    "ladder.rungs=[1]",
    "ladder.keep=1.0",
    "confirmation.finalists=2",
    "confirmation.seeds=3",
    "confirmation.minimum_seeds=2",
    "confirmation.committee=4",
    "baselines=[union-find,cosine,linear-metric]",
)


def prepared(*options: str, batches: int = 12) -> Prepared:
    spectra = simulate("reims", batches=batches, channels=64, seed=5)
    given = dict(o.split("=", 1) for o in [*QUICK, *options])
    return prepare_study("whitened", name="s", set_=[f"{k}={v}" for k, v in given.items()], spectra=spectra)


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> StudyRecord:
    return run_study(prepared(), storage=f"sqlite:///{tmp_path_factory.mktemp('c')}/s.db", workers=0)


def confirmed(record: StudyRecord) -> list[ReplicateRecord]:
    return [r for r in record.replicates if r.phase == "confirm"]


def test_it_stands_in_the_table_and_trains_nothing_twice(record: StudyRecord) -> None:
    assert record.confirmation is not None
    rows = {("committee" if "ommittee" in r.title else r.name): r for r in record.confirmation.rows}
    committee = rows["committee"]
    assert committee.seeds == 2
    assert "mean similarity of trials" in committee.settings
    # two finalists of three seeds, the two further members of two; three folds
    assert len(confirmed(record)) == (2 * 3 + 2 * 2) * 3
    assert "ommittee of 4 trials" in plain_text(record)
    assert render(record).count("ommittee of 4 trials")


def test_its_score_is_that_of_the_mean_similarities(record: StudyRecord) -> None:
    assert record.confirmation is not None
    study, trials = record.study, record.trials
    committee = choose_committee(trials, study.confirmation, study.metric)
    assert committee is not None
    values = [t.value for n in committee.trials for t in trials if t.number == n]
    assert values == sorted((t.value for t in trials if t.value is not None), reverse=True)[:4]
    for member in committee.members:
        for r in confirmed(record):
            if r.configuration_id == member.identity and r.seed < 1002:
                member.add(r)
    assert committee.complete_seeds(3) == [1000, 1001]
    first = committee.cell(1000, 0).pairs[0]
    by_hand = np.mean([m.replicates[1000, 0].pairs[0].similarity for m in committee.members], axis=0)
    np.testing.assert_allclose(first.similarity, by_hand, atol=1e-6)
    row = next(r for r in record.confirmation.rows if "ommittee" in r.title)
    search = {t.number: [r for r in record.finished("search") if r.trial_number == t.number] for t in trials}
    design = Workbench(simulate("reims", batches=12, channels=64, seed=5), study).design
    bias = committee_bias(search, 4, design.units, "matched_auc", study.seed)
    assert bias.optimism > 0
    expected = committee.score(3) - bias.optimism
    assert row.metrics["matched_auc"].value == pytest.approx(expected, abs=0.02)  # a mean over cells, not over scores
    assert row.note == f"corrected for its selection by {bias.optimism:.3f}"


def test_every_baseline_is_compared_as_it_was_scored_the_best_one_too(record: StudyRecord) -> None:
    c = record.confirmation
    assert c is not None and c.scoring == "corrected-cv" and c.verdict.optimism > 0
    winner = next(row for row in c.rows if row.kind == "winner").metrics[c.metric].value
    baselines = {row.name: row for row in c.rows if row.kind == "baseline"}
    assert len(baselines) > 1 and c.verdict.best_baseline in baselines
    for row in baselines.values():
        assert row.difference is not None
        assert row.difference.value == pytest.approx(winner - row.metrics[c.metric].value, abs=1e-6), row.name
    assert c.verdict.difference == baselines[c.verdict.best_baseline].difference


def test_the_winner_is_picked_by_corrected_scores(record: StudyRecord) -> None:
    committee = choose_committee(record.trials, record.study.confirmation, "matched_auc")
    assert committee is not None
    for member in committee.members:
        for r in confirmed(record):
            if r.configuration_id == member.identity:
                member.add(r)
    both = [committee, *committee.members]
    assert pick_winner(both, 3, lambda c: 0.0 if len(c.trials) > 1 else 1.0) is committee
    best = pick_winner(both, 3, lambda c: 1.0 if len(c.trials) > 1 else 0.0)
    assert best in committee.members
    assert best.score(3) == max(m.score(3) for m in committee.members)
    # a member that failed in a cell leaves the committee without it
    place = (1001, 2)
    del committee.members[0].replicates[place]
    assert committee.complete_seeds(3) == [1000]


def test_a_failed_replicate_was_tried_and_has_no_score(record: StudyRecord) -> None:
    """What a member cannot train is not waited for when the time is up."""
    committee = choose_committee(record.trials, record.study.confirmation, "matched_auc")
    assert committee is not None
    for member in committee.members:
        for r in confirmed(record):
            if r.configuration_id == member.identity:
                failed = member is committee.members[1] and r.seed == 1001
                member.add(replace(r, status="failed", pairs=()) if failed else r)
    assert committee.tried_seeds(3) == [1000, 1001]
    assert committee.complete_seeds(3) == [1000]


def test_resumed_or_not_it_is_the_same_number_for_number(record: StudyRecord, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/s.db"
    asked = prepared()
    without = replace(asked.study, confirmation=replace(asked.study.confirmation, committee=0, seeds=2, finalists=1))
    run_study(replace(asked, study=without), storage=url, workers=0)  # stops with a part of what is needed
    with Store(url) as store:
        assert len(store.replicates("s", "confirm")) == 2 * 3
    again = run_study(asked, storage=url, workers=0)
    assert again.confirmation is not None
    assert record.confirmation is not None
    assert again.confirmation.rows == record.confirmation.rows
    assert again.confirmation.winner_members == record.confirmation.winner_members
    for a, b in zip(again.confirmation.pairs, record.confirmation.pairs, strict=True):
        np.testing.assert_array_equal(a.similarity, b.similarity)


def test_held_out_groups_are_scored_once_and_by_the_winner_alone(tmp_path: Path) -> None:
    asked = prepared("confirmation.seeds=1", "confirmation.minimum_seeds=1", batches=64)
    record = run_study(asked, storage=f"sqlite:///{tmp_path}/s.db", workers=0)
    assert record.confirmation is not None
    held = [r for r in record.replicates if r.phase == "hold-out"]
    won = record.confirmation.winner_members
    assert len(held) == (4 if won else 1)
    shown = [r for r in record.confirmation.rows if r.kind in ("winner", "finalist")]
    assert [r.kind for r in shown] == ["winner"]
    assert record.confirmation.verdict.optimism == 0
    if won:
        mean = np.mean([r.pairs[0].similarity for r in held], axis=0)
        np.testing.assert_allclose(record.confirmation.pairs[0].similarity, mean, atol=1e-6)
        assert {r.configuration_id for r in held} == {t.configuration_id for t in record.trials if t.number in won}


def test_a_budget_of_replicates_still_holds(tmp_path: Path) -> None:
    asked = prepared("confirmation.seeds=30")
    tight = replace(asked, study=replace(asked.study, budget=Budget(trials=6, replicates=18 + 4 * 3 * 2 + 3)))
    record = run_study(tight, storage=f"sqlite:///{tmp_path}/s.db", workers=0)
    assert len(confirmed(record)) <= 4 * 3 * 2 + 3
    assert record.confirmation is not None
    assert next(r for r in record.confirmation.rows if "ommittee" in r.title).seeds == 2


def test_few_trials_make_no_committee(record: StudyRecord) -> None:
    assert choose_committee(record.trials[:2], Confirmation(committee=10), "auc") is None
    assert choose_committee(record.trials, Confirmation(), "auc") is None
    fewer = choose_committee(record.trials, Confirmation(committee=100), "auc")
    assert fewer is not None
    assert len(fewer.members) == 6


def test_what_is_set_aside_for_it() -> None:
    asked = Confirmation(committee=10, presets=())
    assert committee_seeds(asked, 10) == 3
    assert committee_seeds(Confirmation(committee=10, seeds=2, minimum_seeds=1), 4) == 1
    study = replace(load_study("whitened"), confirmation=asked)
    assert confirmation_replicates(study, 3) == (3 * 30 + 7 * 3) * 3


def test_two_are_no_committee() -> None:
    with pytest.raises(ConfigurationError, match="2 trials make no committee"):
        load_study("whitened", set_=["confirmation.committee=2"])


def test_the_settings_of_a_trial_say_how_it_compares() -> None:
    compared = {"epochs": 0, "comparison": "plda", "comparison_rounds": 2, "comparison_neighbours": 1}
    configuration = configuration_from_mapping({"encoder": {"type": "whitened"}, "training": compared})
    line = Candidate("t", "t", "finalist", configuration, 0, 1).settings()
    assert line.endswith("compared by PLDA, on a sphere (2 rounds), less 1 nearest group, not trained")
