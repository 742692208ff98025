"""Mixtures of judged spectra in the confirmation: made of distinct classes, named without the truth, kept, drawn."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config import registry
from spectrosim_search.config.errors import ConfigurationError, RunError
from spectrosim_search.evaluation.mixture_statistics import mixture_estimates
from spectrosim_search.evaluation.mixtures import mixture_spectra
from spectrosim_search.learning.engine import single_thread
from spectrosim_search.report.page import render
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.class_fits import class_items
from spectrosim_search.search.class_mixtures import mixture_rows
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.records import EVERY_SEED, StudyRecord
from spectrosim_search.search.run import Prepared, prepare_study, run_study
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_baselines import read_fits
from tests.search.test_class_studies import SMALL

BASELINES = ("nearest-cosine", "nearest-linear-metric", "nearest-spectral-entropy")


def _prepared() -> Prepared:
    settings = ["budget.trials=2", "confirmation.finalists=1", "confirmation.seeds=2", "confirmation.mixtures=30"]
    settings += ["confirmation.minimum_seeds=1", "budget.minutes=0", "protocol.folds=2"]
    prepared = prepare_study("identify", set_=[*SMALL["identify"], *settings])
    study = replace(prepared.study, baselines=BASELINES, protocol=replace(prepared.study.protocol, seeds=1))
    return replace(prepared, study=study)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[StudyRecord, str]:
    storage = f"sqlite:///{tmp_path_factory.mktemp('mixtures') / 'a'}.db"
    with single_thread():
        return run_study(_prepared(), storage=storage, workers=0), storage


def test_mixtures_are_of_distinct_classes_of_judged_spectra() -> None:
    classes = np.array([-1, 5, 5, 7, 7, 9, 9, 11, 2, 2])
    judged = np.array([1, 3, 4, 5, 7])
    rows = mixture_rows(classes, judged, 50, 3)
    assert [own.shape for own in rows.values()] == [(50, 2), (50, 3), (50, 4)]
    for own in rows.values():
        assert np.isin(own, judged).all()
        assert all(len(set(c)) == len(c) for c in classes[own].tolist())
    assert list(mixture_rows(classes, judged[:2], 50, 3)) == [2]
    assert mixture_rows(classes, judged, 0, 3) == {}


def test_components_weigh_alike_whatever_was_measured() -> None:
    rng = np.random.default_rng(0)
    x = rng.random((5, 40)).astype(np.float32)
    rows = np.array([[0, 1, 4], [3, 2, 0]])
    scaled = x * np.array([[1], [50], [0.01], [7], [900]], dtype=np.float32)
    made = mixture_spectra(scaled, rows)
    np.testing.assert_allclose(made, mixture_spectra(x, rows), rtol=1e-5)
    unit = x / x.max(axis=1, keepdims=True)
    total = unit[0] + unit[1] + unit[4]
    np.testing.assert_allclose(made[0], total / total.max(), rtol=1e-5)


def test_search_makes_no_mixtures_and_every_confirmed_method_gets_the_same() -> None:
    prepared = _prepared()
    bench = ClassBench(prepared.spectra, prepared.study)
    configuration = bench.base_configuration()
    assert not bench.task(bench.search_item(configuration, None, 0)).mixtures
    first, second, *_ = (bench.task(i) for i in bench.confirmation_items(configuration, 2) if i.fold == 0)
    given = bench.class_input(0, 0)
    for order in (2, 3, 4):
        assert np.array_equal(first.mixtures[order], second.mixtures[order])
        raw = np.sqrt(given.mixtures[order] / given.mixtures[order].max(axis=1, keepdims=True))
        own = first.mixtures[order]
        np.testing.assert_allclose(own / own.max(axis=1, keepdims=True), raw, atol=1e-5)
    assert (first.classes[bench.mixture_rows(0)[2]] == -1).all()  # nothing says what is in them


def test_a_program_mixes_what_trains_it_and_nothing_else() -> None:
    prepared = _prepared()
    bench = ClassBench(prepared.spectra, prepared.study)
    task = bench.task(bench.search_item(bench.base_configuration(), None, 0))
    whole = bench.everything(bench.base_configuration(), 0)
    assert task.mix is not None and whole.mix is not None
    rows = np.stack([task.train[:6], task.train[-6:]], axis=1)
    x = prepared.spectra.intensities[rows]
    raw = (x / x.max(axis=2, keepdims=True)).sum(axis=1)
    np.testing.assert_allclose(task.mix(rows), whole.mix(rows), rtol=1e-6)  # its preprocessing fits nothing
    made = task.mix(rows)
    wanted = np.sqrt(raw / raw.max(axis=1, keepdims=True))
    np.testing.assert_allclose(made / made.max(axis=1, keepdims=True), wanted, atol=1e-5)
    judged = np.array([[task.train[0], task.judged[0]]])
    assert whole.mix(judged).shape == (1, made.shape[1])
    with pytest.raises(RunError, match="do not train it"):
        task.mix(judged)


def test_a_row_that_names_mixtures_in_another_way_is_fitted_again() -> None:
    prepared = _prepared()
    bench = ClassBench(prepared.spectra, prepared.study)
    changed, same = "nearest-linear-metric", "nearest-cosine"
    keys = {i.baseline: i.key for i in class_items(bench, [changed, same], [0], hold_out=False) if i.fold == 0}
    before = {name: bench.baseline_key(name, 0, EVERY_SEED) for name in keys}
    assert keys[changed] != before[changed] and keys[same] == before[same]


def test_finalists_and_reference_rows_have_them_with_intervals(run: tuple[StudyRecord, str]) -> None:
    record, _ = run
    c = record.confirmation
    assert c is not None
    assert set(c.mixtures) == {"winner", "nearest-cosine", "nearest-linear-metric"}
    for name, estimates in c.mixtures.items():
        assert [e.components for e in estimates] == [2, 3, 4]
        runs = 2 * 2 if name == "winner" else 2  # folds × seeds; what draws nothing is fitted once a fold
        assert all(e.mixtures == 30 * runs for e in estimates)
        for e in estimates:
            assert 0 <= e.all_right.value <= e.mean_right.value <= 1
            assert e.all_right.low <= e.all_right.value <= e.all_right.high
    own = [r for r in record.replicates if r.phase == "confirm" and r.configuration_id == c.winner_configuration_id]
    assert mixture_estimates([m for r in own for m in r.mixtures]) == c.mixtures["winner"]
    assert not any(r.mixtures for r in record.replicates if r.phase == "search")


def test_they_survive_the_database(run: tuple[StudyRecord, str]) -> None:
    record, storage = run
    with Store(storage, read_only=True) as store:
        again, fits = store.record(record.study.name), read_fits(store, record.study.name)
    assert again.confirmation is not None and record.confirmation is not None
    assert again.confirmation.mixtures == record.confirmation.mixtures
    for a, b in zip(record.replicates, again.replicates, strict=True):
        assert [(m.truth.tolist(), m.found.tolist()) for m in a.mixtures] == [
            (m.truth.tolist(), m.found.tolist()) for m in b.mixtures
        ]
    assert {len(f.mixtures) for f in fits.values() if f.baseline == "nearest-cosine"} == {3}


def test_the_report_draws_them_beside_single_spectra(run: tuple[StudyRecord, str]) -> None:
    record, _ = run
    assert record.confirmation is not None
    figure = registry.load("report.figures", "class-mixtures").build(record)
    assert len(figure.data) == 2 * 3
    line = next(t for t in figure.data if t.name.startswith("Winner"))
    assert [round(x) for x in line.x] == [1, 2, 3, 4]
    row = record.confirmation.rows[0]
    wanted = [row.metrics["accuracy"].value, *(e.all_right.value for e in record.confirmation.mixtures["winner"])]
    assert list(line.y) == pytest.approx(wanted)
    assert 'id="figure-class-mixtures"' in render(record)


def test_with_a_hold_out_only_held_out_spectra_are_mixed(tmp_path: Path) -> None:
    prepared = _prepared()
    protocol = replace(prepared.study.protocol, scoring="hold-out")
    prepared = replace(prepared, study=replace(prepared.study, protocol=protocol))
    with single_thread():
        record = run_study(prepared, storage=f"sqlite:///{tmp_path / 'h.db'}", workers=0)
    c, bench = record.confirmation, ClassBench(prepared.spectra, prepared.study)
    assert c is not None and c.scoring == "hold-out" and bench.design.hold_out is not None
    assert not bench.mixture_rows(0) and not any(r.mixtures for r in record.replicates if r.phase == "confirm")
    assert all(np.isin(rows, bench.design.hold_out.judged).all() for rows in bench.mixture_rows(-1).values())
    assert [e.components for e in c.mixtures["winner"]] == [2, 3, 4]
    assert c.mixtures["nearest-cosine"][0].mixtures == 30


def test_other_tasks_are_asked_for_none() -> None:
    with pytest.raises(ConfigurationError, match="components are named in task identify, this is pretrain"):
        load_study("pretrain", set_=["confirmation.mixtures=10"])
    with pytest.raises(ConfigurationError, match="components are named in task identify, this is same-batch"):
        load_study("quick", set_=["confirmation.mixtures=10"])
