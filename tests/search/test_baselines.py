"""Running baselines: stored one by one, resumed, recorded where they fail, joined to a study that was searched."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search import baselines
from spectrosim_search.baselines import BaselineInput
from spectrosim_search.config import registry
from spectrosim_search.config.errors import InputError
from spectrosim_search.evaluation.statistics import paired_difference
from spectrosim_search.report.page import render
from spectrosim_search.report.table import plain_text
from spectrosim_search.search.baseline_items import BaselineItem, fit_baseline
from spectrosim_search.search.baseline_runs import score_baselines
from spectrosim_search.search.driver import Interrupted
from spectrosim_search.search.progress import BaselineDone, Event
from spectrosim_search.search.records import EVERY_SEED, HELD_OUT_FOLD, BaselineFit, MethodRow, StudyRecord
from spectrosim_search.search.run import Prepared, prepare_study, read_study, run_study
from spectrosim_search.search.run_baselines import compare_baselines
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_baselines import read_fits
from spectrosim_search.search.workbench import CONFIRMATION_SEED, Workbench
from spectrosim_search.search.workers.in_process import InProcessPool
from spectrosim_search.search.workers.pool import PoolEvent, Work, WorkerDied
from spectrosim_search.spectra.simulators import simulate

ROOT = Path(__file__).resolve().parents[2]
SMALL = (
    "encoder.patch=16",
    "encoder.width=16",
    "encoder.heads=2",
    "training.epochs=2",
    "protocol.seeds=1",
    "ladder.rungs=[1]",
    "budget.trials=2",
    "confirmation.finalists=2",
    "confirmation.seeds=2",
    "confirmation.minimum_seeds=1",
)

DRAWN = '''
"""Cosine after a random projection, drawn anew for each training seed."""
import numpy as np
from spectrosim_search.baselines import BaselineOutput
from spectrosim_search.baselines._preprocessing import score_rows
from spectrosim_search.config.configuration import Preprocessing
from spectrosim_search.spectra.preprocessing import fit

TITLE = "random projection"
SEEDED = True

def fit_score(data):
    state = fit(Preprocessing(intensity="tic", scale="none"), data.spectra.intensities[data.train])
    axes = np.random.default_rng(data.training_seed).normal(size=(data.spectra.axis.size, 8))
    return BaselineOutput(score_rows(data, state, lambda x: x @ axes), f"seed {data.training_seed}")
'''
FUSSY = """
from spectrosim_search.config.errors import DataError

TITLE = "fussy"

def fit_score(data):
    raise DataError("needs an axis in cm-1, these spectra have m/z")
"""
BROKEN = """
TITLE = "broken"

def fit_score(data):
    return data.no_such_thing
"""
LOOKING = """
from spectrosim_search.baselines import cosine
from spectrosim_search.config.errors import DataError

TITLE = "looks at its groups"

def fit_score(data):
    if data.relation is None and (data.groups[data.train] < 0).any():
        raise DataError("a training spectrum lacks its group")
    return cosine.fit_score(data)
"""


@pytest.fixture
def more(tmp_path: Path) -> Iterator[None]:
    """Four more members of the family, found by its registry as any other."""
    folder = tmp_path / "members"
    folder.mkdir()
    members = {"drawn": DRAWN, "fussy": FUSSY, "broken": BROKEN, "looking": LOOKING}
    for name, text in members.items():
        (folder / f"{name}.py").write_text(text)
    baselines.__path__.append(str(folder))
    registry.names.cache_clear()
    assert set(members) <= set(registry.names("baselines"))
    yield
    baselines.__path__.remove(str(folder))
    registry.names.cache_clear()
    for name in members:
        sys.modules.pop(f"spectrosim_search.baselines.{name}", None)


def prepared(*names: str, batches: int = 12, options: tuple[str, ...] = ()) -> Prepared:
    spectra = simulate("reims", batches=batches, channels=64, seed=5)
    chosen = (f"baselines=[{', '.join(names)}]",) if names else ()
    return prepare_study("quick", name="s", set_=[*SMALL, *options, *chosen], spectra=spectra)


def rows_of(record: StudyRecord) -> dict[str, MethodRow]:
    assert record.confirmation is not None
    return {row.name: row for row in record.confirmation.rows}


def fits_of(storage: str) -> dict[str, BaselineFit]:
    with Store(storage) as store:
        return read_fits(store, "s")


def place(tmp_path: Path, name: str = "s") -> str:
    return f"sqlite:///{tmp_path}/{name}.db"


@pytest.mark.usefixtures("more")
def test_fixed_methods_are_compared_with_any_number_of_groups(tmp_path: Path) -> None:
    events: list[Event] = []
    found = compare_baselines(
        prepared("cosine", "linear-metric", "drawn", "fussy", "broken", "union-find"),
        storage=place(tmp_path),
        seeds=3,
        workers=0,
        on_event=events.append,
    )
    rows, record = rows_of(found.record), found.record
    assert record.confirmation is not None
    assert record.trials == record.replicates == ()
    fits = fits_of(place(tmp_path)).values()
    folds = len({f.fold for f in fits})
    assert [e.total for e in events if isinstance(e, BaselineDone)] == [folds * (6 + 3)] * (folds * (6 + 3))
    assert {(f.fold, f.seed) for f in fits if f.baseline == "cosine"} == {(f, EVERY_SEED) for f in range(folds)}
    seeds = range(CONFIRMATION_SEED, CONFIRMATION_SEED + 3)
    assert {(f.fold, f.seed) for f in fits if f.baseline == "drawn"} == {(f, s) for f in range(folds) for s in seeds}
    assert rows["drawn"].seeds == 3
    assert rows["drawn"].seed_sd > 0
    assert rows["cosine"].seeds == 0
    # what cannot be fitted is a row that says why, and leads nothing
    assert rows["fussy"].note == "n/a: needs an axis in cm-1, these spectra have m/z"
    assert "AttributeError" in rows["broken"].note
    assert np.isnan(rows["fussy"].metrics["auc"].value)
    there = [r for r in rows.values() if r.kind == "baseline" and not r.note.startswith("n/a")]
    scored = {r.name: r.metrics["matched_auc"].value for r in there}
    assert set(scored) == {"cosine", "linear-metric", "drawn"}
    assert record.confirmation.verdict.best_baseline == max(scored, key=lambda n: scored[n])
    sentence = record.confirmation.verdict.sentence
    assert sentence.startswith("Not searched: fixed methods alone were compared;")
    page = render(record)
    for text in ("random projection", "fussy", "needs an axis in cm-1"):
        assert text in page
    assert "winner" not in plain_text(record).lower()
    assert found.seconds["cosine"] == pytest.approx(sum(f.seconds for f in fits if f.baseline == "cosine"))


def test_a_fit_scores_as_the_baseline_alone_does(tmp_path: Path) -> None:
    """Scoring all seeds' pairs at once and picking a cell's is the same as scoring that cell."""
    given = prepared("linear-metric")
    compare_baselines(given, storage=place(tmp_path), seeds=4, workers=0)
    record = read_study("s", place(tmp_path))
    bench = Workbench(given.spectra, given.study)
    labels = np.unique(given.spectra.labels, return_inverse=True)[1]
    cells = []
    for seed in range(CONFIRMATION_SEED, CONFIRMATION_SEED + 4):
        for fold in range(bench.design.folds):
            split = bench.design.split(fold, seed)
            output = baselines.run(
                "linear-metric", BaselineInput(given.spectra, split.train, split.groups, labels, None, split.halves)
            )
            cells.append(output.similarities)
    stored = {b.name: b for b in record.baselines}["linear-metric"].pairs
    expected = [s for cell in cells for s in cell][: len(stored)]
    assert len(stored) == 2 * 3 * bench.design.folds  # three seeds are kept for figures
    for a, b in zip(stored, expected, strict=True):
        np.testing.assert_allclose(a.similarity, b, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("more")
def test_time_that_is_up_leaves_rows_to_be_finished_and_nothing_is_fitted_twice(tmp_path: Path) -> None:
    given, names = prepared("cosine", "drawn"), ("cosine", "drawn")
    none = rows_of(compare_baselines(given, storage=place(tmp_path), seeds=2, workers=0, minutes=1e-9).record)
    assert all(none[n].note.startswith("n/a: not finished, 0 fits of") for n in names)
    first = compare_baselines(given, storage=place(tmp_path), seeds=2, workers=0).record
    before = fits_of(place(tmp_path))
    events: list[Event] = []
    again = compare_baselines(given, storage=place(tmp_path), seeds=2, workers=0, on_event=events.append).record
    assert not events
    assert repr(rows_of(again)) == repr(rows_of(first))
    more_seeds = rows_of(compare_baselines(given, storage=place(tmp_path), seeds=4, workers=0).record)
    after = fits_of(place(tmp_path))
    kept = [key for key, fit in before.items() if fit.seed != EVERY_SEED]
    assert kept
    assert all(after[key].started_at == before[key].started_at for key in kept)
    assert more_seeds["drawn"].seeds == 4


@pytest.mark.usefixtures("more")
def test_stored_scores_of_an_older_revision_are_fitted_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = prepared("cosine", "drawn")

    def fitted() -> set[str]:
        events: list[Event] = []
        compare_baselines(given, storage=place(tmp_path), seeds=2, workers=0, on_event=events.append)
        return {event.baseline for event in events if isinstance(event, BaselineDone)}

    assert fitted() == {"cosine", "drawn", "oracle"}
    assert fitted() == set()
    monkeypatch.setattr(registry.load("baselines", "drawn"), "REVISION", 1, raising=False)
    assert fitted() == {"drawn"}
    assert fitted() == set()


KILLED = """
import os, signal, sys
from tests.search.test_baselines import prepared
from spectrosim_search.search.run_baselines import compare_baselines
done = []
def stop(event):
    done.append(event)
    if len(done) == 4:
        os.kill(os.getpid(), signal.SIGKILL)
compare_baselines(prepared("cosine", "linear-metric"), storage=sys.argv[1], workers=0, seeds=2, on_event=stop)
"""


def test_a_killed_comparison_goes_on_and_ends_as_one_that_was_not(tmp_path: Path) -> None:
    storage, env = place(tmp_path), {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    died = subprocess.run([sys.executable, "-c", KILLED, storage], cwd=ROOT, env=env, capture_output=True, timeout=200)
    assert died.returncode == -signal.SIGKILL, died.stderr
    before = fits_of(storage)
    assert len(before) == 4
    given = prepared("cosine", "linear-metric")
    ended = compare_baselines(given, storage=storage, workers=0, seeds=2).record
    after = fits_of(storage)
    assert all(after[key].started_at == fit.started_at for key, fit in before.items())
    whole = compare_baselines(given, storage=place(tmp_path, "whole"), workers=0, seeds=2).record
    assert repr(rows_of(ended)) == repr(rows_of(whole))


def test_ctrl_c_is_one_line_and_what_ended_is_kept(tmp_path: Path) -> None:
    def press(event: Event) -> None:
        if isinstance(event, BaselineDone) and event.done == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match="the same command goes on"):
        compare_baselines(
            prepared("cosine", "linear-metric"), storage=place(tmp_path), workers=0, seeds=2, on_event=press
        )
    assert len(fits_of(place(tmp_path))) == 2


class Recording(InProcessPool):
    """Keeps what was handed over together."""

    def __init__(self, given: Prepared) -> None:
        super().__init__(given.spectra, given.study)
        self.batches: list[list[BaselineItem]] = []

    def submit(self, items: Sequence[Work]) -> None:
        self.batches.append([item for item in items if isinstance(item, BaselineItem)])
        super().submit(items)


class Deadly(Recording):
    """Its worker dies of one method, with all that it had not delivered."""

    killer = "knn-absolute"

    def events(self, timeout: float) -> list[PoolEvent]:
        batch = self.batches[-1]
        following = batch[len(batch) - self._left if self._left else 0 :]
        if self.free or following[0].baseline != self.killer:
            return super().events(timeout)
        self.close()
        return [WorkerDied("main", "out of memory", tuple(item.key for item in following))]


FAMILY = ("lda-absolute", "cosine", "ensemble-absolute", "knn-absolute", "oplsda-difference", "naive-bayes-absolute")


def run_on(pool: Recording, given: Prepared, storage: str) -> dict[tuple[str, int, int], BaselineFit]:
    bench = Workbench(given.spectra, given.study)
    with Store(storage) as store:
        store.open_study(given.study, bench.dataset, bench.design.summary())
        score_baselines(store, bench, pool, FAMILY, (1000, 1001), hold_out=False)
        return {(f.baseline, f.fold, f.seed): f for f in read_fits(store, given.study.name).values()}


def test_a_family_is_fitted_together_and_scores_as_each_alone(tmp_path: Path) -> None:
    given = prepared(*FAMILY)
    pool = Recording(given)
    fits = run_on(pool, given, place(tmp_path))
    names = [{item.baseline for item in batch} for batch in pool.batches]
    together = {"lda-absolute", "ensemble-absolute", "knn-absolute", "naive-bayes-absolute"}
    assert names.count(together) == 6  # three folds, two seeds
    assert all(len({(i.fold, i.seed, i.family) for i in batch}) == 1 for batch in pool.batches)
    assert all(batch[-1].baseline == "ensemble-absolute" for batch in pool.batches if len(batch) > 1)
    bench = Workbench(given.spectra, given.study)
    for item in (item for batch in pool.batches for item in batch):
        alone = fit_baseline(bench, item, worker="", environment_id="")
        for a, b in zip(fits[item.baseline, item.fold, item.seed].pairs, alone.pairs, strict=True):
            assert (a.similarity == b.similarity).all()


def test_a_method_that_kills_its_worker_takes_no_other_with_it(tmp_path: Path) -> None:
    given = prepared(*FAMILY)
    fits = run_on(Deadly(given), given, place(tmp_path))
    assert {name for (name, _, _), fit in fits.items() if fit.status != "finished"} == {Deadly.killer}
    assert all("killed two workers" in fit.reason for fit in fits.values() if fit.baseline == Deadly.killer)
    assert len(fits) == 3 * (1 + 2 * 5)


@pytest.mark.slow
def test_results_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    given = prepared("cosine", "linear-metric", "linear-metric-tuned")
    alone = compare_baselines(given, storage=place(tmp_path, "0"), workers=0, seeds=2).record
    shared = compare_baselines(given, storage=place(tmp_path, "2"), workers=2, seeds=2).record
    assert repr(rows_of(alone)) == repr(rows_of(shared))
    assert {f.worker for f in fits_of(place(tmp_path, "2")).values()} <= {"worker 1", "worker 2"}


@pytest.mark.usefixtures("more")
def test_baselines_join_a_searched_study_which_is_concluded_again(tmp_path: Path) -> None:
    storage = place(tmp_path)
    first = run_study(prepared(), storage=storage, workers=0)
    assert first.confirmation is not None
    joined = compare_baselines(
        prepared("training-centroid", "drawn", "fussy"), storage=storage, workers=0, seeds=1
    ).record
    assert joined.confirmation is not None
    assert [(r.key, r.started_at) for r in joined.replicates] == [(r.key, r.started_at) for r in first.replicates]
    assert [(t.number, t.value) for t in joined.trials] == [(t.number, t.value) for t in first.trials]
    assert joined.confirmation.winner_configuration_id == first.confirmation.winner_configuration_id
    np.testing.assert_array_equal(joined.confirmation.embedding, first.confirmation.embedding)
    before, after = rows_of(first), rows_of(joined)
    assert set(after) == {*before, "training-centroid", "drawn", "fussy"}
    assert after["winner"].metrics["auc"] == before["winner"].metrics["auc"]
    # Holm counts the new ones, n/a rows are not tested, and differences are paired with the winner
    assert all(after[n].p_adjusted >= before[n].p_adjusted for n in ("cosine", "linear-metric"))
    assert after["drawn"].difference is not None
    assert np.isfinite(after["drawn"].p_adjusted)
    assert np.isnan(after["fussy"].p_adjusted)
    assert after["fussy"].difference is None
    assert "best of 7)" in plain_text(joined)
    assert "random projection" in render(joined)
    assert joined.study.baselines[: len(first.study.baselines)] == first.study.baselines
    # going on with the search's own command drops none of them
    again = run_study(prepared(), storage=storage, workers=0)
    assert repr(rows_of(again)["training-centroid"]) == repr(after["training-centroid"])
    assert {"drawn", "fussy"} <= set(rows_of(again))


@pytest.mark.usefixtures("more")
def test_baselines_that_were_asked_for_and_failed_are_not_called_none(tmp_path: Path) -> None:
    record = run_study(prepared("fussy"), storage=place(tmp_path), workers=0)
    assert record.confirmation is not None
    assert record.confirmation.verdict.sentence == "Cannot tell: no baseline could be scored."
    assert record.confirmation.verdict.difference.note == "no baseline could be scored"


@pytest.mark.usefixtures("more")
def test_a_baseline_with_fewer_seeds_is_compared_on_the_halves_it_has_met(tmp_path: Path) -> None:
    storage, asked = place(tmp_path), prepared("drawn")
    run_study(prepared(), storage=storage, workers=0)
    record = compare_baselines(asked, storage=storage, workers=0, seeds=1).record
    assert record.confirmation is not None
    winner, metric = record.confirmation.winner_configuration_id, record.confirmation.metric
    trained = [r for r in record.replicates if r.phase == "confirm" and r.configuration_id == winner]
    fitted = [f for f in fits_of(storage).values() if f.baseline == "drawn"]
    assert ({r.seed for r in trained}, {f.seed for f in fitted}) == ({1000, 1001}, {1000})
    mine = {r.fold: r.pairs for r in trained if r.seed == 1000}
    theirs = {f.fold: f.pairs for f in fitted}
    units = Workbench(asked.spectra, asked.study).design.units
    own = paired_difference([mine[f] for f in range(3)], [theirs[f] for f in range(3)], units, metric)
    row = rows_of(record)["drawn"]
    assert row.difference is not None
    assert row.difference.value == pytest.approx(own.estimate.value - record.confirmation.verdict.optimism)
    assert row.note == "compared on 1 of the winner's 2 seeds"
    more = rows_of(compare_baselines(asked, storage=storage, workers=0, seeds=2).record)["drawn"]
    assert (more.seeds, more.note) == (2, "")


@pytest.mark.usefixtures("more")
def test_held_out_groups_judge_baselines_that_know_the_group_of_every_training_spectrum(tmp_path: Path) -> None:
    storage = place(tmp_path)
    given = prepared("looking", "drawn", batches=64)
    alone = compare_baselines(given, storage=storage, workers=0, seeds=1).record
    assert not any(f.fold == HELD_OUT_FOLD for f in fits_of(storage).values()), "nothing is searched yet"
    assert not rows_of(alone)["looking"].note.startswith("n/a")
    record = run_study(given, storage=storage, workers=0)
    rows = rows_of(record)
    assert record.confirmation is not None
    assert record.confirmation.scoring == "hold-out"
    assert not rows["looking"].note.startswith("n/a")
    held = [f for f in fits_of(storage).values() if f.fold == HELD_OUT_FOLD]
    assert sorted((f.baseline, f.seed) for f in held if f.baseline in ("looking", "drawn")) == [
        ("drawn", CONFIRMATION_SEED),
        ("drawn", CONFIRMATION_SEED + 1),
        ("looking", EVERY_SEED),
    ]
    kept = {b.name: b for b in record.baselines}
    assert len(kept["drawn"].pairs) == 2
    assert len(kept["looking"].pairs) == 1


def test_another_question_and_an_unfinished_search_are_refused(tmp_path: Path) -> None:
    storage = place(tmp_path)
    compare_baselines(prepared("cosine"), storage=storage, workers=0, seeds=1)
    other = prepared("cosine")
    other = dataclasses.replace(other, study=dataclasses.replace(other.study, metric="auc"))
    with pytest.raises(InputError, match='another question: metric was "matched_auc", is "auc"'):
        compare_baselines(other, storage=storage, workers=0)
    run_study(prepared("cosine"), storage=storage, workers=0, confirm=False)
    with pytest.raises(InputError, match="no confirmation yet"):
        compare_baselines(prepared("cosine"), storage=storage, workers=0)


def test_the_word_all_stands_for_every_baseline() -> None:
    named = prepared("all").study.baselines
    assert named == baselines.every()
    assert "oracle" not in named
    assert set(registry.names("baselines")) == {*named, "oracle"}
