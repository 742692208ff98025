"""Nested scoring: a search in each outer fold on the other groups alone, and a score that belongs to the procedure."""

from __future__ import annotations

import dataclasses
import shutil
import statistics
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search import baselines
from spectrosim_search.config import registry
from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.config.study import Budget, Confirmation, Dimension, Ladder, Protocol, Sampler, Study
from spectrosim_search.deploy.export import export
from spectrosim_search.evaluation.committee import average
from spectrosim_search.evaluation.scores import PairScores
from spectrosim_search.evaluation.statistics import jackknife
from spectrosim_search.evaluation.verification import metrics
from spectrosim_search.protocol.design import make_design
from spectrosim_search.report.page import render
from spectrosim_search.report.table import markdown, plain_text
from spectrosim_search.search import nested
from spectrosim_search.search.progress import Event, ReplicateDone, TrialStarted
from spectrosim_search.search.records import StudyRecord
from spectrosim_search.search.run import plan_study, prepare_study, run_study
from spectrosim_search.search.run_baselines import compare_baselines
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.spectra_set import SpectraSet

FOLDS = 3


MOODY = """
import numpy as np
from spectrosim_search.baselines import BaselineOutput

TITLE = "moody"

def fit_score(data):
    groups = data.spectra.groups
    if len(groups) == 36:  # not the part that a search in an outer fold is given
        return BaselineOutput(tuple(np.full(len(p), np.nan, np.float32) for p in data.pairs), "")
    knows = "batch02" in groups  # in two outer folds of three
    said = [knows & (groups[p.left] == groups[p.right]) for p in data.pairs]
    return BaselineOutput(tuple(s.astype(np.float32) for s in said), "")
"""


def spectra_of(batches: int = 12, species: int = 2) -> SpectraSet:
    return simulate("reims", batches=batches, species=species, channels=64, peaks=12, peak_width=5.0, seed=5)


def study_of(**changes: object) -> Study:
    """Four trials of a linear metric in each search."""
    study = Study(
        name="n",
        protocol=Protocol(scoring="nested", outer_folds=FOLDS, seeds=1),
        base=(
            ("encoder.type", "whitened"),
            ("head.type", "linear"),
            ("training.similarity", "encoder"),
            ("training.epochs", 0),
        ),
        dimensions=(
            Dimension("encoder.components", "int", 2, 10),
            Dimension("preprocessing.intensity", "categorical", choices=("none", "sqrt", "log")),
        ),
        sampler=Sampler("random"),
        ladder=Ladder(rungs=(1,), minimum=20),
        budget=Budget(trials=4),
        confirmation=Confirmation(finalists=2, seeds=2, minimum_seeds=1),
        baselines=("cosine", "linear-metric"),
    )
    return dataclasses.replace(study, **changes)  # type: ignore[arg-type]


def run(folder: Path, study: Study | None = None, *, events: list[Event] | None = None) -> StudyRecord:
    prepared = prepare_study(study or study_of(), spectra=spectra_of())
    heard = [] if events is None else events
    return run_study(prepared, storage=f"sqlite:///{folder}/n.db", workers=0, on_event=heard.append)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyRecord]:
    folder = tmp_path_factory.mktemp("nested")
    return folder, run(folder)


@pytest.fixture
def moody(tmp_path: Path) -> Iterator[None]:
    """A baseline that leads in two of the searches and gives no number outside of them."""
    (tmp_path / "members").mkdir()
    (tmp_path / "members" / "moody.py").write_text(MOODY)
    baselines.__path__.append(str(tmp_path / "members"))
    registry.names.cache_clear()
    yield
    baselines.__path__.remove(str(tmp_path / "members"))
    registry.names.cache_clear()
    sys.modules.pop("spectrosim_search.baselines.moody", None)


def groups_of(pairs: tuple[PairScores, ...], spectra: SpectraSet) -> set[str]:
    return {g for p in pairs for rows in (p.left, p.right) for g in spectra.groups[rows].tolist()}


def test_every_group_is_judged_once_by_a_search_that_never_saw_it(finished: tuple[Path, StudyRecord]) -> None:
    folder, record = finished
    spectra = spectra_of()
    judged: list[set[str]] = []
    with Store(f"sqlite:///{folder}/n.db", read_only=True) as store:
        for fold in range(FOLDS):
            inner = store.record(f"n/outer-{fold + 1}")
            held = [r for r in record.replicates if r.phase == "hold-out" and r.fold == fold]
            judged.append(groups_of(held[0].pairs, spectra))
            assert {r.seed for r in held} == {1000, 1001}
            assert inner.dataset.groups == 12 - len(judged[-1])
            own = nested.inner_spectra(spectra, Workbench(spectra, record.study).design, fold)
            assert own.fingerprint == inner.dataset.fingerprint
            assert not set(own.groups) & judged[-1]
            confirmation = inner.confirmation
            assert confirmation is not None and confirmation.scoring == "corrected-cv"
            assert {r.configuration_id for r in held} == {confirmation.winner_configuration_id}
            assert all(row.kind != "preset" for row in confirmation.rows)
            assert {t.state for t in inner.trials} <= {"COMPLETE", "PRUNED"} and len(inner.trials) == 4
    assert len(set.union(*judged)) == sum(len(j) for j in judged) == 12


def test_the_score_is_that_of_the_outer_folds(finished: tuple[Path, StudyRecord]) -> None:
    _, record = finished
    confirmation = record.confirmation
    assert confirmation is not None and confirmation.scoring == "nested"
    design = Workbench(spectra_of(), record.study).design
    held = {(r.seed, r.fold): r for r in record.replicates if r.phase == "hold-out"}
    cells = [held[seed, fold].pairs for seed in (1000, 1001) for fold in range(FOLDS)]
    rows = {row.name: row for row in confirmation.rows}
    winner = rows["winner"].metrics["matched_auc"]
    assert winner == jackknife(cells, design.units, "matched_auc")
    assert winner.value == pytest.approx(statistics.fmean(f.outer for f in confirmation.outer))
    assert 0 <= rows["winner"].metrics["balanced_accuracy"].value <= 1  # a threshold came from inner pairs
    assert [r.kind for r in confirmation.rows].count("winner") == 1
    assert not {"finalist", "preset"} & {r.kind for r in confirmation.rows}
    chosen = rows["chosen-baseline"].metrics["matched_auc"].value
    assert chosen == pytest.approx(statistics.fmean(f.baseline_outer for f in confirmation.outer))
    assert confirmation.verdict.difference.value == pytest.approx(winner.value - chosen)
    baselines = {f.baseline for f in confirmation.outer}
    if len(baselines) == 1:  # then it is one test, not two
        assert rows["chosen-baseline"].p_adjusted == rows[baselines.pop()].p_adjusted
    assert confirmation.verdict.optimism == 0
    assert confirmation.winner_trial in {t.number for t in record.trials}  # of the last search, which is exported


def test_each_fold_chose_its_baseline_without_its_groups(finished: tuple[Path, StudyRecord]) -> None:
    folder, record = finished
    assert record.confirmation is not None
    with Store(f"sqlite:///{folder}/n.db", read_only=True) as store:
        for fold in record.confirmation.outer:
            inner = store.record(fold.study)
            assert inner.confirmation is not None
            scores = {r.name: r.metrics["matched_auc"].value for r in inner.confirmation.rows if r.kind == "baseline"}
            assert scores[fold.baseline] == max(scores.values())
            assert fold.best_search == max(t.value for t in inner.trials if t.value is not None)


def test_reports_say_whose_score_it_is(finished: tuple[Path, StudyRecord]) -> None:
    _, record = finished
    for text in (plain_text(record), markdown(record), render(record)):
        assert "belongs to the procedure" in text
        assert "best in search" in text
        assert "chosen in each outer fold" in text
    assert plain_text(record).count("\n1  ") == 1
    assert "the score is the procedure" in export(record, None) or "linear metric" in export(record, None)


def numbers(record: StudyRecord) -> list[object]:
    assert record.confirmation is not None
    c = record.confirmation
    return [
        [(r.key, r.score) for r in record.replicates if r.phase == "hold-out"],
        repr(c.rows),
        c.verdict,
        c.outer,
        c.winner_configuration_id,
    ]


def test_an_interrupted_study_goes_on_and_is_deleted_whole(finished: tuple[Path, StudyRecord], tmp_path: Path) -> None:
    events: list[Event] = []
    prepared = prepare_study(study_of(), spectra=spectra_of())

    class Stop(Exception):
        pass

    def stop_in_second_search(event: Event) -> None:
        events.append(event)
        if sum(isinstance(e, TrialStarted) for e in events) == 6:
            raise Stop

    url = f"sqlite:///{tmp_path}/n.db"
    with pytest.raises(Stop):
        run_study(prepared, storage=url, workers=0, on_event=stop_in_second_search)
    with Store(url, read_only=True) as store:
        kept = {r.key: r.started_at for r in store.record("n/outer-1").replicates}
        assert not store.status("n").confirmed
    later: list[Event] = []
    record = run(tmp_path, events=later)
    with Store(url, read_only=True) as store:
        assert {r.key: r.started_at for r in store.record("n/outer-1").replicates} == kept
    assert not kept.keys() & {e.key for e in later if isinstance(e, ReplicateDone)}
    assert numbers(record) == numbers(finished[1])
    again: list[Event] = []
    assert numbers(run(tmp_path, events=again)) == numbers(record)
    assert not any(isinstance(e, ReplicateDone) for e in again)
    with Store(url) as store:
        assert [s.name for s in store.studies()] == ["n"]
        assert {s.name for s in store.studies(inner=True)} == {"n", "n/outer-1", "n/outer-2", "n/outer-3"}
        store.delete("n")
        assert store.studies(inner=True) == ()


def test_baselines_that_join_later_stand_where_they_would_have_stood_from_the_start(
    finished: tuple[Path, StudyRecord], tmp_path: Path
) -> None:
    """Whether they are named when the study goes on or join it by the command of their own."""
    more = study_of(baselines=("cosine", "linear-metric", "linear-metric-tuned", "plda"))
    folders = [tmp_path / name for name in ("from the start", "gone on", "joined")]
    for folder in folders:
        folder.mkdir()
        if folder is not folders[0]:
            shutil.copy(finished[0] / "n.db", folder / "n.db")
    events: list[Event] = []
    start, url = run(folders[0], more), f"sqlite:///{folders[2]}/n.db"
    gone_on = run(folders[1], more, events=events)
    given = prepare_study(more, spectra=spectra_of())
    joined = compare_baselines(given, storage=url, workers=0, on_event=events.append).record
    assert not any(isinstance(e, ReplicateDone) for e in events), "no model is trained again"
    assert numbers(gone_on) == numbers(start) == numbers(joined)
    assert start.confirmation is not None
    assert {f.baseline for f in start.confirmation.outer} & {"linear-metric-tuned", "plda"}  # else it would say little
    assert numbers(run(folders[2], study_of())) == numbers(joined), "none that was looked at leaves again"


@pytest.mark.usefixtures("moody")
def test_a_baseline_that_fails_outside_is_a_row_with_its_reason_and_ends_nothing(tmp_path: Path) -> None:
    confirmation = run(tmp_path, study_of(baselines=("cosine", "moody"))).confirmation
    assert confirmation is not None
    rows = {row.name: row for row in confirmation.rows}
    assert rows["moody"].note.startswith("n/a: baseline 'moody' gave similarities that are not finite numbers")
    assert [f.baseline for f in confirmation.outer] == ["moody", "moody", "cosine"]
    assert all(np.isnan(f.baseline_outer) for f in confirmation.outer)
    assert confirmation.verdict.outcome == "cannot tell" and "chosen-baseline" not in rows
    assert "moody led in a search and could not be scored on its outer fold" in confirmation.verdict.sentence
    assert rows["cosine"].difference is not None and rows["cosine"].p_adjusted <= 1


def test_a_leaking_outer_fold_is_refused() -> None:
    spectra = spectra_of()
    design = Workbench(spectra, study_of()).design
    honest = design.outer[0]
    held = np.setdiff1d(np.arange(len(spectra)), honest.train)
    part_of_a_group = dataclasses.replace(honest, train=np.sort(np.append(honest.train, held[0])))
    whole_group = np.flatnonzero(spectra.groups == spectra.groups[held[0]])
    judged_group = dataclasses.replace(honest, train=np.sort(np.append(honest.train, whole_group)))
    for leaking in (part_of_a_group, judged_group):
        broken = dataclasses.replace(design, outer=(leaking, *design.outer[1:]))
        with pytest.raises(RunError, match="split is broken"):
            nested.inner_spectra(spectra, broken, 0)
    assert len(nested.inner_spectra(spectra, design, 0)) == len(honest.train)


def test_outer_folds_keep_units_together_and_labels_apart() -> None:
    groups = np.repeat([f"g{i:02d}" for i in range(24)], 3)
    labels = np.repeat(["a", "b"] * 12, 3)
    split = np.repeat([f"s{i // 2:02d}" for i in range(24)], 3)
    design = make_design(groups, labels, split, Protocol(scoring="nested", outer_folds=3))
    assert design.scoring == "nested" and design.hold_out is None and len(design.outer) == 3
    for outer in design.outer:
        held = np.setdiff1d(np.arange(72), outer.train)
        assert not set(split[held]) & set(split[outer.train])
        assert (outer.groups[held] == -1).all()
        assert len(set(groups[held])) == 8
        assert {label: (labels[held] == label).sum() for label in "ab"} == {"a": 12, "b": 12}
    assert sum(part["name"].startswith("outer fold") for part in design.summary()["parts"]) == 3


@pytest.mark.parametrize(
    ("batches", "folds", "hint"),
    [(9, 5, "measure more groups"), (12, 8, "outer_folds to 3 to 6"), (10, 2, "outer_folds to 5")],
)
def test_too_few_groups_are_refused_with_a_way_out(tmp_path: Path, batches: int, folds: int, hint: str) -> None:
    study = study_of(protocol=Protocol(scoring="nested", outer_folds=folds))
    with pytest.raises(InputError, match=f"too few groups for {folds} outer folds.*{hint}"):
        run_study(prepare_study(study, spectra=spectra_of(batches)), storage=f"sqlite:///{tmp_path}/n.db", workers=0)
    assert not list(tmp_path.glob("*.db"))


def test_other_protocols_have_no_outer_folds() -> None:
    study = study_of(protocol=Protocol("random-pairs", scoring="nested"))
    with pytest.raises(InputError, match="nested"):
        Workbench(spectra_of(), study)


def test_searches_share_minutes_and_replicates_and_each_asks_for_all_trials() -> None:
    study = study_of(budget=Budget(trials=4, minutes=8, replicates=100))
    last, inner = nested.last_study(study), nested.inner_study(study, 1)
    assert (last.name, inner.name) == ("n", "n/outer-2")
    assert last.budget == inner.budget == Budget(trials=4, minutes=2, replicates=(100 - 3 * 2) // 4)
    assert inner.protocol.scoring == "corrected-cv"
    plan = plan_study(prepare_study(study_of(), spectra=spectra_of()), workers=1)
    assert plan["searches"] == 4
    assert plan["confirmation replicates (at most)"] == 4 * 2 * 2 * 3 + 3 * 2


def test_outer_folds_change_no_other_question() -> None:
    plain = study_of(protocol=Protocol(scoring="corrected-cv"))
    assert plain.question == study_of(protocol=Protocol(scoring="corrected-cv", outer_folds=7)).question
    assert study_of().question != study_of(protocol=Protocol(scoring="nested", outer_folds=4, seeds=1)).question


@pytest.fixture(scope="module")
def committees(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyRecord]:
    """Six trials and a committee of three in each search, on spectra where it wins in a fold at least."""
    folder = tmp_path_factory.mktemp("committees")
    asked = Confirmation(finalists=1, seeds=2, minimum_seeds=1, committee=3)
    return folder, run(folder, study_of(budget=Budget(trials=6), confirmation=asked))


def test_a_committee_that_wins_inside_is_judged_outside(committees: tuple[Path, StudyRecord]) -> None:
    folder, record = committees
    confirmation = record.confirmation
    assert confirmation is not None
    with Store(f"sqlite:///{folder}/n.db", read_only=True) as store:
        inner = [store.record(f.study) for f in confirmation.outer]
    several = [i.confirmation.winner_members for i in inner if i.confirmation is not None]
    assert any(several)  # what follows speaks of committees
    held = [r for r in record.replicates if r.phase == "hold-out"]
    cells: dict[tuple[int, int], tuple[PairScores, ...]] = {}
    for fold, search in enumerate(inner):
        c = search.confirmation
        assert c is not None
        numbers = c.winner_members or (c.winner_trial,)
        identities = [t.configuration_id for n in numbers for t in search.trials if t.number == n]
        own = [r for r in held if r.fold == fold]
        assert {r.configuration_id for r in own} == set(identities) and len(set(identities)) == len(numbers)
        for seed in {r.seed for r in own}:
            pairs = [next(r for r in own if r.seed == seed and r.configuration_id == i).pairs for i in identities]
            cells[seed, fold] = average(pairs) if len(pairs) > 1 else pairs[0]
        assert confirmation.outer[fold].configuration_id == c.winner_configuration_id
        assert search.study.confirmation.committee == 3
    seeds = sorted({seed for seed, _ in cells})
    design = Workbench(spectra_of(), record.study).design
    expected = jackknife([cells[s, f] for s in seeds for f in range(FOLDS)], design.units, "matched_auc")
    winner = next(row for row in confirmation.rows if row.kind == "winner")
    assert winner.metrics["matched_auc"] == expected and winner.seeds == len(seeds)
    assert "nested" in render(record) and "members:" in export(record, committee=True)


def test_what_an_inner_winner_scored_inside_is_told(committees: tuple[Path, StudyRecord]) -> None:
    folder, record = committees
    assert record.confirmation is not None
    with Store(f"sqlite:///{folder}/n.db", read_only=True) as store:
        for told in record.confirmation.outer:
            inner = store.record(told.study)
            c = inner.confirmation
            assert c is not None
            fresh = [r for r in inner.replicates if r.phase == "confirm"]
            if c.winner_members:
                members = [t.configuration_id for n in c.winner_members for t in inner.trials if t.number == n]
                pairs = [{(r.seed, r.fold): r.pairs for r in fresh if r.configuration_id == m} for m in members]
                places = set.intersection(*(set(own) for own in pairs))  # a single finalist has more seeds
                scores = [metrics(average([own[p] for own in pairs]))["matched_auc"] for p in sorted(places)]
            else:
                scores = [r.score for r in fresh if r.configuration_id == c.winner_configuration_id]
            assert told.inner == pytest.approx(statistics.fmean(scores))


def test_a_committee_is_reckoned_with() -> None:
    alone = study_of(budget=Budget(trials=4, replicates=200))
    several = study_of(
        budget=Budget(trials=4, replicates=200),
        confirmation=Confirmation(finalists=2, seeds=2, minimum_seeds=1, committee=10),
    )
    assert nested.outer_replicates(alone) == FOLDS * 2
    assert nested.outer_replicates(several) == FOLDS * 10
    assert nested.last_study(several).budget.replicates == (200 - FOLDS * 10) // 4
    assert nested.last_study(several).confirmation.committee == 10
