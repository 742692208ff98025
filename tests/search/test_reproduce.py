"""The papers' tables: cited figures, what each of our numbers is made of, what leaks, what is never trained twice."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config import registry
from spectrosim_search.config.errors import InputError, RunError
from spectrosim_search.evaluation.verification import auc, metrics
from spectrosim_search.learning.engine import train_stack
from spectrosim_search.report.reproduce import findings, reproduction_rows, reproduction_tables
from spectrosim_search.search.plan import first_configuration
from spectrosim_search.search.progress import BaselineDone, ReplicateDone
from spectrosim_search.search.protocols import study_under
from spectrosim_search.search.published._table import Figure, Row, Table
from spectrosim_search.search.reproduce import COLUMNS, load_table, prepare_table, reproduce, table_names
from spectrosim_search.search.reproduce_runs import STOPPED, STOPPED_THRESHOLD
from spectrosim_search.search.store import Store
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.writers import write
from tests.search.searching import small_spectra, small_study

ROWS = ("lda", "kan-binary", "kan-contrastive")


def quick(path: Path, rows=ROWS):
    """Table 2 on the small table, two epochs."""
    return prepare_table("spectrosim-table-2", rows=rows, data=str(path), set_=["training.epochs=2"])


@pytest.fixture(scope="module")
def table_file(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "fish.csv"
    write(simulate("reims", seed=3, batches=12, channels=160), path)
    return path


@pytest.fixture(scope="module")
def found(table_file, tmp_path_factory):
    """One seed, then two: the result, its database, and what was done in each run."""
    url = f"sqlite:///{tmp_path_factory.mktemp('base') / 'found.db'}"
    runs, results = [], []
    for seeds in (1, 2, 2):
        events = []
        results.append(reproduce(quick(table_file), storage=url, seeds=seeds, workers=0, on_event=events.append))
        runs.append(sum(isinstance(e, (BaselineDone, ReplicateDone)) for e in events))
    return results, url, runs


# --- what was printed --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "row", "mean", "sd"),
    [
        ("spectrosim-table-2", "oplsda", 53.19, 2.22),
        ("spectrosim-table-2", "kan-binary", 89.49, 2.50),
        ("spectrosim-table-2", "transformer-binary", 95.77, 2.22),
        ("spectrosim-table-2", "transformer-contrastive", 98.02, 1.71),
        ("spectrosim-table-2", "resnet-contrastive", 84.98, 3.37),
        ("spectrosim-table-3", "0.50", 77.5, math.nan),
        ("spectrosim-table-4", "16", 96.9, math.nan),
        ("chapter-binary", "moe-transformer", 62.5, 7.4),
        ("chapter-contrastive", "transformer-contrastive", 70.8, 9.6),
        ("chapter-contrastive", "ensemble-transformer-contrastive", 67.9, 12.8),
        ("chapter-frameworks", "byol", 51.3, 6.3),
        ("chapter-frameworks", "simsiam", 48.3, 5.1),
    ],
)
def test_figures_are_those_of_the_papers(table, row, mean, sd):
    figure = next(r.figure for r in load_table(table).rows if r.name == row)
    assert figure.mean == mean and (figure.sd == sd or (math.isnan(figure.sd) and math.isnan(sd)))


def test_tables_are_complete_and_every_row_can_be_run():
    tables = {name: load_table(name) for name in table_names()}
    sizes = {name: len(table.rows) for name, table in tables.items() if isinstance(table, Table)}
    assert sizes == {
        "spectrosim-table-2": 9 + 7 + 8 + 1,
        "spectrosim-table-3": 5,
        "spectrosim-table-4": 5,
        "chapter-binary": 8,
        "chapter-contrastive": 8 + 1,
        "chapter-frameworks": 5,
    }
    for name in sizes:
        asked = prepare_table(name)
        assert {r.name for r in asked.rows if not r.baseline} == set(asked.configurations)
        assert all(r.baseline in registry.names("baselines") for r in asked.rows if r.baseline)
        different = {c.identity for c in asked.configurations.values()}
        assert len(different) == len(asked.configurations), "two rows are one configuration"
        assert set(asked.prepared.study.baselines) >= {"union-find", "cosine", "linear-metric"}


def test_a_slip_of_the_pen_is_no_figure():
    with pytest.raises(ValueError, match="percentage"):
        Figure(9802.0)
    with pytest.raises(ValueError, match="one of them"):
        Row("x", "x", Figure(50.0))
    with pytest.raises(ValueError, match="one of them"):
        Row("x", "x", Figure(50.0), baseline="cosine", preset="spectrosim-paper")
    table = load_table("spectrosim-table-3")
    with pytest.raises(ValueError, match="name of its own"):
        dataclasses.replace(table, rows=table.rows[:1] * 2)
    with pytest.raises(ValueError, match="no citation"):
        dataclasses.replace(table, source="")


# --- what is ours ------------------------------------------------------------------------------------------------


def test_every_row_has_its_columns_and_only_disjoint_batches_an_interval(found):
    result = found[0][-1]
    assert [r.name for r in result.rows] == ["union-find", "cosine", "linear-metric", *ROWS]
    assert [r.kind for r in result.rows[3:]] == ["classical", "binary network", "contrastive"]
    for row in result.rows:
        wanted = COLUMNS if row.kind == "contrastive" else ("random-pairs", "batch-disjoint")
        assert set(row.scores) == set(wanted)
        for column, scores in row.scores.items():
            assert scores.repeats == 2
            assert scores.leaks == (column != "batch-disjoint")
            estimate = scores.metrics["balanced_accuracy"]
            assert 0 <= estimate.value <= 1 and math.isfinite(estimate.low) == (column == "batch-disjoint")
    assert result.score("union-find", "batch-disjoint") == 0.5 == result.expected["batch-disjoint"]
    assert result.score("union-find", "random-pairs") == pytest.approx(result.expected["random-pairs"], abs=0.1)


def test_nothing_is_done_twice_and_a_seed_more_changes_no_earlier_one(found):
    results, url, runs = found
    assert runs[0] > 0 and runs[1] > 0 and runs[2] == 0
    assert [dict(r.scores) for r in results[1].rows] == [dict(r.scores) for r in results[2].rows]
    with Store(url, read_only=True) as store:
        phases = store.status("spectrosim-table-2-fish").replicates
    assert phases == {"confirm": 2 * (3 + 3), "hold-out": 2, "stop-on-test": 2}


def test_the_held_out_pairs_are_the_forty_percent_that_nobody_trained_on(found, table_file):
    """Slow twin of one number: the model of seed 0 trained alone."""
    result, asked = found[0][0], quick(table_file)
    study = study_under(asked.prepared.study, "random-pairs", 0, 0, 0.6)
    bench = Workbench(asked.prepared.spectra, study)
    held = bench.design.hold_out
    assert held is not None and held.relation is not None
    assert len(held.pairs) == round(0.4 * 36) + round(0.4 * (36 * 35 // 2 - 36))
    assert (held.relation[held.pairs.left, held.pairs.right] == -1).all()
    (item,) = bench.hold_out_items(asked.configurations["kan-contrastive"], 1, 2)
    (alone,) = train_stack([bench.task(item)], bench.data([item]))
    value = auc(alone.similarities[0], held.pairs.positive)
    assert result.score("kan-contrastive", "random-pairs", "auc") == pytest.approx(value, abs=1e-12)


def test_the_way_of_the_paper_takes_the_best_epoch_of_the_judged_pairs(found, table_file):
    results, url, _ = found
    with Store(url, read_only=True) as store:
        stopped = store.replicates("spectrosim-table-2-fish", "stop-on-test")
    assert len(stopped) == 2
    for record in stopped:
        curve = record.curve[:, 0]
        assert (record.curve[:, 0] == record.curve[:, 1]).all() and len(curve) == 3
        assert record.chosen_epochs == (int(np.argmax(curve)),) * 2
        assert metrics(record.pairs)["auc"] == pytest.approx(float(curve.max()), abs=1e-6)
    for column in (STOPPED, STOPPED_THRESHOLD):
        assert results[1].score("kan-contrastive", column) == results[2].score("kan-contrastive", column)
    whole = np.mean([r.curve[:, 0].max() for r in stopped])
    assert results[1].score("kan-contrastive", STOPPED_THRESHOLD, "auc") == pytest.approx(float(whole), abs=1e-6)
    both = results[1].score("kan-contrastive", STOPPED_THRESHOLD)
    assert both >= 0.5, "a threshold chosen on the very pairs is never worse than a coin"


@pytest.mark.parametrize("protocol", ["batch-disjoint", "shared-batch"])
def test_no_other_protocol_lets_judged_pairs_stop_a_training(protocol):
    study = study_under(small_study(), protocol, 0, 0, 0.0)
    with pytest.raises(RunError, match="is no score"):
        Workbench(small_spectra(), study).stop_on_test_item(first_configuration(study))


def test_tables_and_findings_say_what_the_rows_say(found):
    result = found[0][-1]
    tables = reproduction_tables(result)
    assert list(tables) == ["balanced accuracy", "AUC, all pairs"]
    for column in list(tables["balanced accuracy"][0])[2:]:
        assert ("leaking" in column) == (column != "batch-disjoint")
    assert [r["printed"] for r in tables["balanced accuracy"]] == [
        *("", "", ""),
        ".564 ± .027",
        ".895 ± .025",
        ".938 ± .032",
    ]
    rows = {(r["row"], r["column"], r["metric"]): r for r in reproduction_rows(result)}
    gain = rows["kan-contrastive", STOPPED, "auc"]["value"] - rows["kan-contrastive", "random-pairs", "auc"]["value"]
    text = " ".join(findings(result))
    assert f"AUC by {gain:+.3f}".replace("0.", ".") in text
    assert "Contrastive - binary, the same network" in text


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"name": "spectrosim-table-5"}, "spectrosim-table"),
        ({"name": "spectrosim-table-2", "rows": ["cnn-contrastiv"]}, "cnn-contrastive"),
        ({"name": "spectrosim-table-2", "set_": ["training.epoch=3"]}, "training.epochs"),
    ],
)
def test_wrong_input_is_refused(given, says):
    with pytest.raises(InputError, match=says):
        prepare_table(given.pop("name"), **given)


def test_no_seed_is_refused_before_anything_is_written(table_file, tmp_path):
    with pytest.raises(InputError, match="0 seeds"):
        reproduce(quick(table_file), storage=str(tmp_path / "none.db"), seeds=0, workers=0)
    assert not list(tmp_path.iterdir())


def test_the_page_shows_what_the_command_prints(tmp_path):
    """Rows of the table in docs/reproduce.md that are quickly made again."""
    page = (Path(__file__).parents[2] / "docs" / "reproduce.md").read_text().split("## SpectroSim, Table 2")[1]
    asked = prepare_table("spectrosim-table-2", rows=["lda", "logistic-regression"])
    found = reproduce(asked, storage=str(tmp_path / "page.db"), seeds=3, workers=0)
    for title, rows in reproduction_tables(found).items():
        part = page.split(f"| {title} |")[1].split("\n\n")[0]
        for row in rows:
            printed = next(line for line in part.splitlines() if line.startswith(f"| {row['method']} |"))
            cells = [cell.strip() for cell in printed.strip("|").split("|")]
            for wanted in (v for k, v in row.items() if k in ("printed", "random-pairs (leaking)", "batch-disjoint")):
                assert wanted in cells, (title, row)
    assert f"| 24 of 3 | {found.expected['random-pairs']:.3f}".replace("0.", ".")[:-1] in page
