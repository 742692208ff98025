"""A whole study through the library, under each protocol and each way to obtain the score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import DataError, InputError
from spectrosim_search.report.page import render
from spectrosim_search.report.table import plain_text
from spectrosim_search.search.records import StudyRecord
from spectrosim_search.search.run import plan_study, prepare_study, read_study, run_study
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_tables import ConfirmationRow, ReplicateRow
from spectrosim_search.search.workbench import Workbench
from spectrosim_search.spectra.simulators import simulate

SMALL = [
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
]


def study(tmp_path: Path, *options: str, batches: int = 12, **simulated: int) -> StudyRecord:
    spectra = simulate("reims", batches=batches, channels=64, seed=5, **simulated)
    given = dict(o.split("=", 1) for o in [*SMALL, *options])  # the later one counts
    prepared = prepare_study("quick", name="s", set_=[f"{k}={v}" for k, v in given.items()], spectra=spectra)
    return run_study(prepared, storage=f"sqlite:///{tmp_path}/s.db", workers=0)


def test_corrected_cross_validation(tmp_path: Path) -> None:
    record = study(tmp_path)
    confirmation = record.confirmation
    assert confirmation is not None
    assert confirmation.scoring == "corrected-cv"
    assert {r.seed for r in record.replicates if r.phase == "confirm"} == {1000, 1001}
    assert {r.seed for r in record.replicates if r.phase == "search"} == {0}
    rows = {row.name: row for row in confirmation.rows}
    assert {"winner", "union-find", "cosine", "cosine-tuned", "linear-metric", "linear-metric-tuned", "oracle"} <= set(
        rows
    )
    assert rows["union-find"].metrics["auc"].value == 0.5
    assert rows["oracle"].metrics["matched_auc"].value > rows["cosine"].metrics["matched_auc"].value
    best = rows[confirmation.verdict.best_baseline]
    raw = rows["winner"].metrics["matched_auc"].value - best.metrics["matched_auc"].value
    # the table's rows are corrected for the search's selection, the verdict for the baselines' as well
    assert confirmation.verdict.difference.value >= raw - 1e-9
    assert confirmation.verdict.sentence in plain_text(record)
    assert confirmation.embedding.shape == (36, 2)
    assert np.isfinite(confirmation.embedding).all(axis=1).sum() == 12


def test_a_study_that_is_being_confirmed_is_worked_on(tmp_path: Path) -> None:
    spectra = simulate("reims", batches=12, channels=64, seed=5)
    prepared = prepare_study("quick", name="s", set_=SMALL, spectra=spectra)
    asked = [option.replace("trials=2", "trials=3") for option in SMALL]
    more = prepare_study("quick", name="s", set_=asked, spectra=spectra)
    storage = f"sqlite:///{tmp_path}/s.db"
    seen: list[str] = []

    def look(note: str) -> None:
        if not note.startswith("confirmation:"):
            return
        seen.append(note)
        with Store(storage) as store:
            assert len(store.status("s").drivers) == 1
            with pytest.raises(InputError, match="stop it first"):
                store.delete("s")
        with pytest.raises(InputError, match="being worked on"):
            run_study(more, storage=storage, workers=0)

    record = run_study(prepared, storage=storage, workers=0, on_note=look)
    assert len(seen) == 1
    assert record.study.budget.trials == 2
    with Store(storage, read_only=True) as store:
        assert store.status("s").drivers == ()


def test_hold_out_is_scored_once_on_groups_that_nothing_saw(tmp_path: Path) -> None:
    record = study(tmp_path, batches=64)
    confirmation = record.confirmation
    assert confirmation is not None
    assert confirmation.scoring == "hold-out"
    spectra = simulate("reims", batches=64, channels=64, seed=5)
    design = Workbench(spectra, record.study).design
    assert design.hold_out is not None
    held = set(spectra.groups[np.unique(design.hold_out.pairs.left)]) | set(
        spectra.groups[np.unique(design.hold_out.pairs.right)]
    )
    for replicate in record.replicates:
        rows = np.unique(np.concatenate([np.concatenate([p.left, p.right]) for p in replicate.pairs]))
        judged = set(spectra.groups[rows])
        if replicate.phase == "hold-out":
            assert judged <= held
            assert replicate.configuration_id == confirmation.winner_configuration_id
        else:
            assert not judged & held
    assert not held & set(spectra.groups[design.hold_out.train])
    assert sum(r.phase == "hold-out" for r in record.replicates) == 2
    assert confirmation.verdict.optimism == 0
    winner = next(row for row in confirmation.rows if row.kind == "winner")
    assert 0 <= winner.metrics["balanced_accuracy"].value <= 1


def test_shared_batch_brings_the_centroid(tmp_path: Path) -> None:
    record = study(tmp_path, "protocol.name=shared-batch")
    assert record.confirmation is not None
    names = {row.name for row in record.confirmation.rows}
    assert "training-centroid" in names
    assert record.confirmation.leakage["balanced_accuracy"] == 0.5


def test_random_pairs_leak_and_say_so(tmp_path: Path) -> None:
    record = study(tmp_path, "protocol.name=random-pairs")
    assert record.confirmation is not None
    leakage = record.confirmation.leakage
    assert leakage["balanced_accuracy"] > 0.6
    assert abs(leakage["balanced_accuracy"] - leakage["expected"]) < 0.1
    assert "leak" in plain_text(record).lower()


def test_going_on_keeps_what_was_trained(tmp_path: Path) -> None:
    first = study(tmp_path)
    again = study(tmp_path)
    assert [r.key for r in again.replicates] == [r.key for r in first.replicates]
    assert again.confirmation is not None
    assert first.confirmation is not None
    for a, b in zip(first.confirmation.rows, again.confirmation.rows):
        assert a.metrics["auc"].value == b.metrics["auc"].value
    more = study(tmp_path, "confirmation.seeds=3")
    kept = {r.key: r.started_at for r in more.replicates}
    assert all(kept[r.key] == r.started_at for r in first.replicates)
    assert len(more.replicates) > len(first.replicates)


def test_a_scored_hold_out_closes_its_study(tmp_path: Path) -> None:
    first = study(tmp_path, batches=64)
    again = study(tmp_path, batches=64)  # the same command reports again
    assert [(r.key, r.started_at) for r in again.replicates] == [(r.key, r.started_at) for r in first.replicates]
    assert again.confirmation is not None and first.confirmation is not None
    assert again.confirmation.winner_trial == first.confirmation.winner_trial
    for option in ("budget.trials=4", "budget.minutes=9", "confirmation.seeds=3", "confirmation.finalists=1"):
        with pytest.raises(InputError, match=r"'s' is closed: .* another --name"):
            study(tmp_path, option, batches=64)
    left = read_study("s", f"sqlite:///{tmp_path}/s.db")
    assert (left.study.budget, left.study.confirmation) == (first.study.budget, first.study.confirmation)
    assert len(left.trials) == len(first.trials) and len(left.replicates) == len(first.replicates)


def test_a_hold_out_scored_in_part_is_finished_for_the_same_winner(tmp_path: Path) -> None:
    import sqlite3

    whole = study(tmp_path, batches=64)
    assert whole.confirmation is not None
    with sqlite3.connect(f"{tmp_path}/s.db") as database:  # as if the machine had died after the first of two
        keys = [r.key for r in whole.replicates if r.phase == "hold-out"]
        assert len(keys) == 2
        lost = [keys[1], *(r.key for r in whole.replicates if r.phase == "confirm" and r.seed == 1001)]
        marks = ",".join("?" * len(lost))
        database.execute(f"DELETE FROM {ReplicateRow.__tablename__} WHERE key IN ({marks})", lost)
        database.execute(f"DELETE FROM {ConfirmationRow.__tablename__}")
    database.close()
    after = study(tmp_path, batches=64)
    assert after.confirmation is not None
    assert after.confirmation.winner_trial >= 0
    # seeds that were never trained before the hold-out was opened are not trained after it
    assert {r.seed for r in after.replicates if r.phase == "confirm"} == {1000}
    assert {r.seed for r in after.replicates if r.phase == "hold-out"} == {1000}


def test_spectra_with_negative_values_leave_transforms_out() -> None:
    spectra = simulate("reims", batches=12, channels=64, seed=5)
    spectra.intensities[3, 4] = -1.0
    prepared = prepare_study("transformer", spectra=spectra)
    varied = next(d for d in prepared.study.dimensions if d.path == "preprocessing.intensity")
    assert not {"sqrt", "log"} & set(varied.choices)
    assert any("sqrt and log" in w for w in prepared.spectra.warnings)
    Workbench(prepared.spectra, prepared.study)
    with pytest.raises(DataError, match="sqrt"):
        prepare_study("transformer", spectra=spectra, set_=["preprocessing.intensity=sqrt"])
    removed = prepare_study("transformer", spectra=spectra, set_=["preprocessing.baseline=snip"])
    assert {"sqrt", "log"} <= set(next(d for d in removed.study.dimensions if d.path == varied.path).choices)
    both = ["preprocessing.intensity=sqrt", "preprocessing.baseline=snip"]
    Workbench(prepare_study("transformer", spectra=spectra, set_=both).spectra, prepared.study)


@pytest.mark.parametrize("protocol", ["batch-disjoint", "shared-batch", "random-pairs"])
@pytest.mark.parametrize("batches", [4, 7])
def test_four_to_seven_groups_compare_fixed_methods(tmp_path: Path, batches: int, protocol: str) -> None:
    record = study(tmp_path, f"protocol.name={protocol}", batches=batches)
    confirmation = record.confirmation
    assert confirmation is not None
    assert record.trials == record.replicates == ()
    names = {"union-find", "cosine", "cosine-tuned", "linear-metric", "linear-metric-tuned", "oracle"}
    assert {b.name for b in record.baselines} >= names
    rows = {row.name: row for row in confirmation.rows}
    assert rows.keys() >= names
    assert {row.kind for row in rows.values()} == {"baseline", "oracle", "audit"}
    halved = protocol != "batch-disjoint"  # whole folds leave no other pairs to choose a threshold on
    assert np.isfinite(rows["cosine"].metrics["balanced_accuracy"].value) == halved
    verdict, metric = confirmation.verdict, confirmation.metric
    leading = rows[verdict.best_baseline].metrics[metric]
    assert leading.value == max(row.metrics[metric].value for row in rows.values() if row.kind == "baseline")
    assert verdict.outcome == "not searched"
    assert verdict.sentence.startswith(f"Not searched: {batches} groups are too few to search (8 are needed)")
    assert f"{leading.value:.3f} (95 % interval {leading.low:.3f} to {leading.high:.3f})" in verdict.sentence
    text = plain_text(record)
    assert verdict.sentence in text
    assert "winner" not in text.lower()
    assert ("leak" in text.split("Leakage audit")[0].lower()) == (protocol == "random-pairs")
    assert verdict.sentence.split(";")[0] in render(record)
    again = study(tmp_path, f"protocol.name={protocol}", batches=batches).confirmation
    assert again is not None
    assert repr(again.rows) == repr(confirmation.rows)


def test_plan_of_too_few_groups_trains_nothing() -> None:
    spectra = simulate("reims", batches=6, channels=64, seed=5)
    plan = plan_study(prepare_study("quick", spectra=spectra, set_=SMALL))
    assert plan["trials"] == 0
    assert "linear-metric-tuned" in plan["fixed methods"]
    assert any("too few to search" in w for w in plan["warnings"])
    assert plan["detectable_difference"] > 0


def test_three_groups_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"3 groups .* at least 4"):
        study(tmp_path, batches=3)
    assert not list(tmp_path.glob("*.db"))


def test_plan_counts_what_a_study_trains() -> None:
    spectra = simulate("reims", batches=12, channels=64, seed=5)
    plan = plan_study(prepare_study("quick", spectra=spectra, set_=SMALL), workers=2)
    assert plan["cells a trial"] == 3
    assert plan["confirmation replicates (at most)"] == 2 * 2 * 3
    assert plan["seconds a replicate (at most)"] > 0


def test_importance_needs_trials_and_sums_to_one(tmp_path: Path) -> None:
    few = study(tmp_path)
    assert few.design.get("importance", {}) == {}
    (tmp_path / "many").mkdir()
    study(tmp_path / "many", "budget.trials=12", "ladder.minimum=20")
    importance = read_study("s", f"sqlite:///{tmp_path}/many/s.db").design["importance"]
    assert set(importance) <= {d.path for d in few.study.dimensions}
    assert abs(sum(importance.values()) - 1) < 1e-9


def test_a_budget_of_replicates_holds_for_search_and_confirmation_together(tmp_path: Path) -> None:
    wide = ("budget.trials=20", "confirmation.seeds=9", "confirmation.finalists=2")
    record = study(tmp_path, *wide, "budget.replicates=24")
    assert record.confirmation is not None
    assert len(record.replicates) == 24
    assert {r.phase for r in record.replicates} == {"search", "confirm"}
