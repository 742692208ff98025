"""The papers' tables that name a class: cited figures, what stands for each row, what leaks, what is run once."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config import registry
from spectrosim_search.config.errors import InputError
from spectrosim_search.learning.engine import single_thread
from spectrosim_search.report.reproduce import explanation, findings, reproduction_rows, reproduction_tables
from spectrosim_search.search.class_bench import ClassBench, program_module
from spectrosim_search.search.progress import BaselineDone, ReplicateDone
from spectrosim_search.search.published._class_table import ClassRow, ClassTable, Contrast, Printed, Variant
from spectrosim_search.search.published._table import Figure
from spectrosim_search.search.reproduce import load_table, prepare_table, reproduce, table_names
from spectrosim_search.search.reproduce_class_runs import under
from spectrosim_search.search.store import Store
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.writers import write

SMALL = {
    "triplets": [
        "data.simulator_parameters.classes=9",
        "data.simulator_parameters.spectra=20",
        "data.simulator_parameters.channels=400",
        "data.simulator_parameters.shift=5",
        "data.simulator_parameters.margin=20",
        "data.simulator_parameters.class_distance=10",
        "data.simulator_parameters.peaks_high=5",
        "encoder.width=4",
        "encoder.regions=8",
        "encoder.out=16",
        "encoder.stem_stride=4",
        "training.batch_size=32",
        "protocol.folds=2",
        "confirmation.mixtures=40",
    ],
    "pretext-classifiers": [
        "data.simulator_parameters.batches=12",
        "data.simulator_parameters.batch_size=4",
        "data.simulator_parameters.channels=60",
        "encoder.width=4",
        "training.epochs=1",
        "program.epochs=3",
        "protocol.folds=2",
    ],
    "synthesis-classifiers": [
        "data.simulator_parameters.compounds=9",
        "data.simulator_parameters.spectra=4",
        "training.epochs=2",
        "program.specialised_steps=2",
        "protocol.folds=2",
    ],
}
ROWS = {
    "triplets": ("triplets", "triplets-40", "classifier"),
    "pretext-classifiers": ("knn", "plsda", "pretext"),
    "synthesis-classifiers": ("forest-real", "forest-decoder", "forest-vae-only"),
}


def tables() -> dict[str, ClassTable]:
    found = {name: load_table(name) for name in table_names()}
    return {name: table for name, table in found.items() if isinstance(table, ClassTable)}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Each small table with one seed, with two, with two again: results, what was done in each run, the database.

    What a simulated set has nothing of (blocks of the identification set) is in one column.
    """
    out = {}
    for name, settings in SMALL.items():
        url = f"sqlite:///{tmp_path_factory.mktemp('base') / name}.db"
        results, done = [], []
        for seeds in (1, 2, 2):
            events: list[object] = []
            asked = prepare_table(name, rows=ROWS[name], set_=settings)
            with single_thread():
                results.append(reproduce(asked, storage=url, seeds=seeds, workers=0, on_event=events.append))
            done.append(sum(isinstance(e, (BaselineDone, ReplicateDone)) for e in events))
        out[name] = results, done, url
    return out


# --- what is trained ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [n for n in table_names() if isinstance(load_table(n), ClassTable)])
def test_rows_train_the_network_that_their_table_names_wherever_its_study_starts(name: str) -> None:
    asked = prepare_table(name)
    networks = {"pretrain": "block-cnn", "identify": "cnn", "synthesis": "stepped"}
    assert asked.configurations
    for row, c in asked.configurations.items():
        assert c.encoder.type == networks[asked.table.study], row
        assert c.training.epochs > 0, row
        if asked.table.study == "pretrain":
            assert c.program is not None
            assert c.program["branch"] == "none" and int(c.program["epochs"]) > 0, row
            assert c.preprocessing.intensity == "snv", row
    if name == "triplets":
        assert {c.encoder["width"] for c in asked.configurations.values()} == {16}
        assert {c.encoder["out"] for c in asked.configurations.values()} == {128}


# --- what was printed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "row", "metric", "where", "percent"),
    [
        ("pretext-classifiers", "pretext", "accuracy", "tablet", 98.14),
        ("pretext-classifiers", "pretext", "macro_f1", "coal", 99.78),
        ("pretext-classifiers", "random-forest", "accuracy", "mango", 88.72),
        ("pretext-classifiers", "svm", "accuracy", "tea", 76.14),
        ("pretext-classifiers", "elm", "macro_f1", "mango", 95.87),
        ("pretext-classifiers", "plsda", "accuracy", "tablet", 95.81),
        ("pretext-fractions", "pretext-5", "accuracy", "coal", 97.91),
        ("pretext-fractions", "pretext-50", "accuracy", "coal", 99.83),
        ("pretext-fractions", "random-forest-10", "accuracy", "coal", 39.09),
        ("pretext-fractions", "knn-30", "accuracy", "coal", 51.07),
        ("pretext-fractions", "bpnn-20", "accuracy", "coal", 82.66),
        ("synthesis-classifiers", "forest-decoder-only", "accuracy", "printed", 57),
        ("synthesis-classifiers", "forest-decoder", "accuracy", "printed", 79),
        ("synthesis-classifiers", "network-vae", "accuracy", "printed", 76),
        ("synthesis-similarity", "specialised", "weighted_cosine", "printed", 82),
        ("synthesis-similarity", "vae", "similarity_ratio_above_.9", "printed", 11),
        ("triplets", "triplets-40", "accuracy", "printed", 98.95),
        ("triplets", "triplets", "mixture_3_all_right", "printed", 78.8),
        ("triplets", "new-classes", "accuracy", "printed", 99.667),
    ],
)
def test_figures_are_those_of_the_papers(table, row, metric, where, percent):
    figure = next(r for r in tables()[table].rows if r.name == row).figure(metric, where)
    assert figure is not None and figure.mean == percent


def test_tables_are_complete_and_every_row_can_be_run():
    sizes = {name: len(table.rows) for name, table in tables().items()}
    assert sizes == {
        "pretext-classifiers": 7,
        "pretext-fractions": 7 * 6,
        "pretext-ablations": 2 + 6 + 2,
        "synthesis-classifiers": 2 * 6,
        "synthesis-similarity": 4,
        "triplets": 7,
    }
    for name, table in tables().items():
        asked = prepare_table(name)
        task = asked.prepared.study.task
        family = registry.names(program_module(task).BASELINES)
        assert {r.baseline for r in (*asked.rows, *asked.references) if r.baseline} <= set(family)
        assert {r.name for r in asked.rows if r.kind == "configuration"} == set(asked.configurations)
        different = {c.identity for c in asked.configurations.values()}
        assert len(different) == len(asked.configurations), "two rows are one configuration"
        assert all(r.elsewhere for r in asked.rows if r.kind == "printed only")
        variants = {r.variant for r in asked.rows if not r.elsewhere}
        shown = {(r.variant, r.baseline) for r in (*asked.rows, *asked.references)}
        assert all((v, b) in shown for v in variants for b in table.references), "a reference row is missing"


def test_figures_of_one_setting_agree_between_tables():
    found = tables()
    six = {p.where: p.figure.mean for p in found["pretext-ablations"].rows[0].printed}
    assert six == {
        p.where: p.figure.mean for p in found["pretext-classifiers"].rows[-1].printed if p.metric == "accuracy"
    }


def test_a_slip_of_the_pen_is_no_figure():
    table = tables()["pretext-classifiers"]
    twice = (Printed("accuracy", "tea", Figure(1.0)), Printed("accuracy", "tea", Figure(2.0)))
    with pytest.raises(ValueError, match="one place"):
        ClassRow("x", "x", twice, baseline="knn")
    with pytest.raises(ValueError, match="one of them"):
        ClassRow("x", "x")
    with pytest.raises(ValueError, match="no variant"):
        replace(table, rows=(replace(table.rows[0], variant="y"),), contrasts=())
    with pytest.raises(ValueError, match="not shown"):
        replace(table, metrics=("accuracy",))
    with pytest.raises(ValueError, match="names no rows"):
        replace(table, contrasts=(Contrast("x", "pretext", "lda"),))
    with pytest.raises(ValueError, match="first metric"):
        replace(table, metrics=("novelty", *table.metrics))
    with pytest.raises(ValueError, match="no citation"):
        replace(table, source="")


# --- what is ours ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_only_folds_that_cut_nothing_have_an_interval(runs, name):
    result = runs[name][0][-1]
    assert result.leaks == (name != "triplets")
    assert [r.row.name for r in result.rows if r.kind != "reference"] == list(ROWS[name])
    for row in result.rows:
        assert set(row.scores) == (set() if row.kind == "printed only" else set(result.columns))
        for column, scores in row.scores.items():
            assert scores.seeds == 2 and scores.leaks == (column == "plain") and not scores.note
            e = scores.metrics["accuracy"]
            assert 0 <= e.value <= 1 and math.isfinite(e.low) == (column == "disjoint")
    for c in result.contrasts:
        one, two = (result.score(r, "disjoint") for r in (c.contrast.row, c.contrast.beside))
        assert c.differences["disjoint"].value == pytest.approx(one - two)
        assert "plain" not in c.differences or math.isnan(c.differences["plain"].low)


@pytest.mark.parametrize("name", SMALL)
def test_nothing_is_done_twice_and_a_seed_more_changes_no_earlier_one(runs, name):
    results, done, url = runs[name]
    assert done[0] > 0 and done[1] == done[0] and done[2] == 0
    again = [
        [(r.row.name, c, s.metrics["accuracy"].value) for r in x.rows for c, s in r.scores.items()] for x in results
    ]
    assert again[1] == again[2] and again[0] != again[1]
    with Store(url, read_only=True) as store:
        record = store.record(name)
    configurations = sum(r.kind == "configuration" for r in results[0].rows)
    assert len(record.replicates) == 2 * 2 * len(results[0].columns) * configurations  # seeds, folds, columns


def test_a_share_of_the_training_spectra_is_named_with_the_same_judged_ones(runs):
    asked = prepare_table("triplets", rows=ROWS["triplets"], set_=SMALL["triplets"])
    benches = [
        ClassBench(asked.prepared.spectra, under(asked.prepared.study, "disjoint", 0, asked.table.variant(v)))
        for v in ("", "40")
    ]
    for fold in range(2):
        all_of, some = (b.split(fold) for b in benches)
        assert np.array_equal(all_of.judged, some.judged) and len(some.train) < 0.6 * len(all_of.train)
    result = runs["triplets"][0][-1]
    scores = {r.row.name: r.scores for r in result.rows}
    assert scores["classifier"] == {} and "nearest-cosine-40" in scores
    for name in ("triplets", "nearest-cosine"):
        mixed = [scores[name]["disjoint"].metrics[f"mixture_{k}_all_right"] for k in (2, 3, 4)]
        assert all(0 <= e.low <= e.value <= e.high <= 1 for e in mixed)
    table = reproduction_tables(result)["mixtures of 2, all components right"]
    assert [r["printed"] for r in table] == ["", "", "", "", ".920", "", ""]
    (contrast,) = result.contrasts
    assert contrast.printed == {"printed": pytest.approx(-0.08)}
    assert any("pretrain" in line for line in explanation(result))


def test_a_number_is_that_of_the_program_run_alone(runs):
    """Slow twin: the pretext's first seed on whole groups, fold by fold."""
    result = runs["pretext-classifiers"][0][0]
    asked = prepare_table("pretext-classifiers", rows=ROWS["pretext-classifiers"], set_=SMALL["pretext-classifiers"])
    study = under(asked.prepared.study, "disjoint", 0, Variant("", ""))
    bench = ClassBench(asked.prepared.spectra, study)
    right = 0
    groups = asked.prepared.spectra.groups
    for item in bench.confirmation_items(asked.configurations["pretext"], 1):
        task = bench.task(item)
        assert not set(groups[task.train]) & set(groups[task.judged])
        with single_thread():
            predicted = bench.program.run(task).predicted
        right += int((predicted == bench.design.classes[task.judged]).sum())
    assert result.score("pretext", "disjoint") == pytest.approx(right / len(asked.prepared.spectra))


def test_plain_folds_cut_what_the_other_column_keeps_together(runs):
    asked = prepare_table("synthesis-classifiers", set_=SMALL["synthesis-classifiers"])
    benches = {
        c: ClassBench(asked.prepared.spectra, under(asked.prepared.study, c, 0, Variant("", ""))).design
        for c in ("plain", "disjoint")
    }
    alike = asked.prepared.spectra.split
    cut = {c: sum(len(set(d.fold_of[alike == b].tolist())) > 1 for b in np.unique(alike)) for c, d in benches.items()}
    assert cut["disjoint"] == 0 < cut["plain"]


def test_variants_reach_baselines_under_identities_of_their_own(runs):
    result = runs["synthesis-classifiers"][0][-1]
    names = {r.row.name for r in result.rows if r.kind == "reference"}
    assert names == {f"{b}-{v}" for b in ("duplicates", "peak-removal") for v in ("forest", "forest-synthetic")}
    both, alone = (result.score(f"peak-removal-{v}", "disjoint") for v in ("forest", "forest-synthetic"))
    assert both != alone


def test_data_without_groups_have_one_column(tmp_path):
    spectra = simulate("nir", batches=12, batch_size=4, channels=60)
    path = tmp_path / "alone.csv"
    write(dataclasses.replace(spectra, groups=np.full(len(spectra), "")), path)
    asked = prepare_table("pretext-classifiers", rows=["knn"], data=str(path), set_=["protocol.folds=2"])
    found = reproduce(asked, storage=f"sqlite:///{tmp_path}/alone.db", seeds=1, workers=0)
    assert not found.leaks and all(set(r.scores) == {"disjoint"} for r in found.rows)
    assert all("leaking" not in heading for heading in reproduction_tables(found)["accuracy"][0])
    assert "no groups" in " ".join(explanation(found))


def test_tables_and_findings_say_what_the_rows_say(runs):
    result = runs["pretext-classifiers"][0][-1]
    shown = reproduction_tables(result)
    assert list(shown) == ["accuracy", "macro F1", "differences in accuracy"]
    assert [r["printed, tablet"] for r in shown["accuracy"]] == ["", "", ".855", ".958", ".981"]
    assert shown["differences in accuracy"][0]["printed, tablet"] == "+.023"
    assert ("plain folds (leaking)" in shown["accuracy"][0]) and ("whole groups held out" in shown["accuracy"][0])
    rows = {(r["row"], r["column"], r["metric"]): r for r in reproduction_rows(result)}
    assert rows["pretext", "printed, tablet", "accuracy"]["value"] == pytest.approx(0.9814)
    assert rows["knn", "plain folds (leaking)", "accuracy"]["leaking"] == "yes"
    gaps = [result.score(r, "plain") - result.score(r, "disjoint") for r in ROWS["pretext-classifiers"]]
    assert f"{np.mean(gaps):+.3f}".replace("0.", ".") in findings(result)[0]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "pretext-classifier"}, "pretext-classifiers"),
        ({"name": "pretext-classifiers", "rows": ["randomforest"]}, "random-forest"),
        ({"name": "pretext-classifiers", "set_": ["program.epoch=3"]}, "program.epochs"),
    ],
)
def test_wrong_input_is_refused(given, says):
    with pytest.raises(InputError, match=says):
        prepare_table(given.pop("name"), **given)


def test_pairs_are_no_classes_and_nothing_is_written(tmp_path):
    path: Path = tmp_path / "pairs.csv"
    spectra = simulate("reims", seed=3, batches=12, channels=160)
    write(dataclasses.replace(spectra, labels=np.full(len(spectra), "")), path)
    asked = prepare_table("pretext-classifiers", rows=["knn"], data=str(path))
    with pytest.raises(InputError, match="no spectrum has a label"):
        reproduce(asked, storage=f"sqlite:///{tmp_path}/none.db", seeds=1, workers=0)
    assert not (tmp_path / "none.db").exists()
