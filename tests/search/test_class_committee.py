"""Committees of the tasks that name a class, from the search to the model that is used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import InputError
from spectrosim_search.deploy.document import document_from_yaml, load_export
from spectrosim_search.deploy.export import export
from spectrosim_search.deploy.gallery import enrolled, name_mixtures
from spectrosim_search.deploy.named_model import load_named
from spectrosim_search.deploy.retrain_named import train_named
from spectrosim_search.evaluation.class_committee import votes
from spectrosim_search.evaluation.class_statistics import class_score
from spectrosim_search.evaluation.scores import ClassScores
from spectrosim_search.learning.engine import single_thread
from spectrosim_search.report.page import render
from spectrosim_search.search.candidates import Candidate
from spectrosim_search.search.class_committee import ClassCommittee
from spectrosim_search.search.class_selection import select_class
from spectrosim_search.search.records import StudyRecord
from spectrosim_search.search.run import Prepared, prepare_study, run_study
from spectrosim_search.search.store import Store
from tests.search.test_class_studies import BASELINES, SMALL

IDENTIFY = (
    *[s for s in SMALL["identify"] if not s.startswith(("encoder.", "training.epochs", "confirmation."))],
    "encoder.type=whitened",
    "training.epochs=0",
    "screening.trials=6",
    "budget.trials=12",
    "confirmation.mixtures=12",
)
PRETRAIN = (
    *[s for s in SMALL["pretrain"] if "branch" not in s and "committee" not in s],
    "program.branch=alone",
    "budget.trials=9",
)
ASKED = ("confirmation.committee=4", "confirmation.finalists=1", "confirmation.seeds=3", "budget.minutes=0")


def _prepared(task: str, *extra: str) -> Prepared:
    own = {"identify": IDENTIFY, "pretrain": PRETRAIN}[task]
    prepared = prepare_study(task, set_=[*own, *ASKED, "confirmation.minimum_seeds=1", *extra])
    study = replace(prepared.study, baselines=BASELINES[task])
    return replace(prepared, study=replace(study, protocol=replace(study.protocol, seeds=1)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[StudyRecord, str]]:
    folder = tmp_path_factory.mktemp("committees")
    out = {}
    for task in ("identify", "pretrain"):
        storage = f"sqlite:///{folder / task}.db"
        with single_thread():
            out[task] = run_study(_prepared(task), storage=storage, workers=0), storage
    return out


@pytest.mark.parametrize("task", ["identify", "pretrain"])
def test_the_committee_stands_in_the_table_with_the_score_of_its_votes(
    task: str, runs: dict[str, tuple[StudyRecord, str]]
) -> None:
    record, _ = runs[task]
    c = record.confirmation
    assert c is not None
    row = next(r for r in c.rows if "ommittee of 4" in r.title)
    assert row.settings.startswith("votes of trials ")
    finished = sorted((t for t in record.trials if t.state == "COMPLETE"), key=lambda t: (-(t.value or 0.0), t.number))
    members = list(dict.fromkeys(t.configuration_id for t in finished))[:4]
    fresh = [r for r in record.replicates if r.phase == "confirm"]
    seeds = sorted({r.seed for r in fresh if r.configuration_id == members[-1]})
    assert row.seeds == len(seeds)
    scores = []
    for seed in seeds:
        right = []
        for fold in sorted({r.fold for r in fresh}):
            own = [next(r for r in fresh if (r.configuration_id, r.seed, r.fold) == (m, seed, fold)) for m in members]
            parts = [r.classes[0] for r in own]
            tally = votes(np.stack([p.predicted for p in parts]), np.stack([p.confidence for p in parts]), 40)
            right.append(tally.argmax(axis=1) == parts[0].truth)
        scores.append(np.concatenate(right).mean())
    taken_off = float(row.note.rsplit(" ", 1)[1]) if row.note else 0.0
    assert row.metrics["accuracy"].value + taken_off == pytest.approx(np.mean(scores), abs=6e-4)
    assert (c.winner_trial == -1) == bool(c.winner_members)
    page = render(record)
    assert "ommittee of 4 trials" in page


@pytest.mark.parametrize("task", ["identify", "pretrain"])
def test_a_lead_is_the_difference_of_the_scores_in_the_table(
    task: str, runs: dict[str, tuple[StudyRecord, str]]
) -> None:
    """A committee is corrected by less than a single trial."""
    c = runs[task][0].confirmation
    assert c is not None
    winner = c.rows[0].metrics[c.metric].value
    leads = {row.name: row.difference for row in c.rows if row.kind == "finalist"}
    assert leads and None not in leads.values()
    for row in c.rows[1:]:
        if row.difference is not None:
            assert row.difference.value == pytest.approx(winner - row.metrics[c.metric].value, abs=1e-9), row.name


def test_a_committee_takes_mixtures_apart(runs: dict[str, tuple[StudyRecord, str]]) -> None:
    c = runs["identify"][0].confirmation
    assert c is not None
    name = next(r.name for r in c.rows if "ommittee" in r.title)
    assert [m.components for m in c.mixtures[name]] == [2, 3, 4]
    assert c.mixtures[name][0].mean_right.value > 0.5


def test_a_curve_over_labels_is_of_a_single_trial(runs: dict[str, tuple[StudyRecord, str]]) -> None:
    c = runs["pretrain"][0].confirmation
    assert c is not None
    (title,) = {p.title for p in c.label_curve if p.method == "winner"}
    assert title.startswith("Trial ") if c.winner_members else title == "Winner"


def test_going_on_trains_nothing_twice(runs: dict[str, tuple[StudyRecord, str]]) -> None:
    record, storage = runs["identify"]
    with single_thread():
        again = run_study(_prepared("identify"), storage=storage, workers=0)
    assert len(again.replicates) == len(record.replicates)
    assert again.confirmation is not None and record.confirmation is not None
    assert [r.metrics["accuracy"].value for r in again.confirmation.rows] == [
        r.metrics["accuracy"].value for r in record.confirmation.rows
    ]
    assert Store(storage).record("identify").confirmation is not None


def test_with_a_hold_out_all_members_of_a_winner_name_the_held_out_spectra(tmp_path: Path) -> None:
    prepared = _prepared("identify", "protocol.scoring=hold-out")
    with single_thread():
        record = run_study(prepared, storage=f"sqlite:///{tmp_path / 'held.db'}", workers=0)
    c = record.confirmation
    assert c is not None and c.rows[0].kind == "winner"
    held = {r.configuration_id for r in record.replicates if r.phase == "hold-out"}
    assert len(held) == (len(c.winner_members) or 1)
    assert c.verdict.optimism == 0.0


def test_export_train_and_use(runs: dict[str, tuple[StudyRecord, str]], tmp_path: Path) -> None:
    record, _ = runs["identify"]
    path = tmp_path / "committee.yaml"
    path.write_text(export(record, committee=True), encoding="utf-8")
    assert "which vote" in path.read_text()
    spectra = _prepared("identify").spectra
    with single_thread():
        model = train_named(load_export(path), spectra, tmp_path / "model", seeds=1, folds=2)
        loaded = load_named(tmp_path / "model", ("identify",))
        found, again = model.identify(spectra), loaded.identify(spectra)
        each = [replace(loaded, parts=(part,)).identify(spectra).scores for part in loaded.parts]
        rows, _ = name_mixtures(loaded, spectra.select(np.arange(5)), 2)
        new = replace(spectra.select(np.arange(4)), groups=np.array(["new", "new", "other", "other"]))
        larger = enrolled(loaded, new)
        after = larger.identify(spectra)
    assert len(loaded.parts) == 4
    assert (tmp_path / "model" / "weights-4.safetensors").exists()
    np.testing.assert_array_equal(found.scores, again.scores)
    table = np.stack(each)
    np.testing.assert_array_equal(found.scores, votes(table.argmax(axis=2), table.max(axis=2), len(model.class_names)))
    assert 0 < model.reject_below <= 1
    for row, scores in zip(found.rows(best=3), found.scores, strict=True):
        order = np.argsort(-scores, kind="stable")
        assert row["class 3"] == (model.class_names[order[2]] if scores[order[2]] > 0 else "")
    assert any(row["class 3"] == "" for row in found.rows(best=3))
    assert "a committee of 4 that vote" in (tmp_path / "model" / "README.md").read_text()
    assert all(row["component 1"] != row["component 2"] and 0 <= row["score"] <= 1 for row in rows)
    assert larger.class_names == (*model.class_names, "new", "other")
    assert after.scores.shape == (len(spectra), len(model.class_names) + 2)


def test_members_are_of_one_task_that_has_committees() -> None:
    member = "  - {{program: {{type: {}}}, encoder: {{type: cnn}}}}\n"
    text = "kind: committee\nmembers:\n" + member * 2
    assert document_from_yaml(text.format("identify", "identify")).task == "identify"
    with pytest.raises(InputError, match=r"several tasks \(identify, pretrain\)"):
        document_from_yaml(text.format("identify", "pretrain"))
    with pytest.raises(InputError, match="one generator"):
        document_from_yaml(text.format("synthesis", "synthesis"))


class _Known(Candidate):
    """A candidate whose named classes are given."""

    def __init__(self, trial: int, right: np.ndarray) -> None:
        configuration = document_from_yaml("encoder: {type: cnn}").configuration
        assert configuration is not None
        super().__init__(f"trial-{trial}", f"Trial {trial}", "finalist", configuration, trial, 1)
        self.method = [(_scores(right),)]
        self.replicates = {(0, 0): _Record(self.method[0])}  # type: ignore[dict-item]

    def class_method(self, folds: int) -> list[tuple[ClassScores, ...]]:
        return self.method


class _Record:
    def __init__(self, classes: tuple[ClassScores, ...]) -> None:
        self.classes = classes


def _scores(right: np.ndarray) -> ClassScores:
    rows = np.arange(right.size)
    return ClassScores(rows, np.zeros(rows.size, np.int64), np.where(right, 0, 1), np.full(rows.size, 0.5))


def test_a_committee_wins_where_its_votes_are_ahead_once_the_choice_is_taken_off() -> None:
    units = np.arange(60)
    rng = np.random.default_rng(0)
    blunders = [np.arange(60) % 3 != t for t in range(3)]  # each wrong on another third: together always right
    members = tuple(_Known(t, right) for t, right in enumerate(blunders))
    committee = ClassCommittee("committee", "Committee of 3 trials", "finalist", members, "accuracy")
    trials = {m.name: m.method for m in members} | {str(i): [(_scores(rng.random(60) < 0.3),)] for i in range(5)}
    found = select_class([members[0], committee], trials, 1, units, "accuracy", 0)
    assert found.winner is committee
    assert class_score(committee.class_method(1), "accuracy") == 1.0
    assert found.committee_optimism <= found.optimism
    alike = tuple(_Known(t, np.arange(60) % 3 != 0) for t in range(3))  # wrong where the others are
    weak = ClassCommittee("committee", "Committee of 3 trials", "finalist", alike, "accuracy")
    better = _Known(9, np.ones(60, bool))
    found = select_class([members[1], better, weak], trials, 1, units, "accuracy", 0)
    assert found.winner is found.single is better
