"""Studies that name a class, end to end on small data: search, confirmation, resuming, export, training, use."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.config.study import Study
from spectrosim_search.deploy.document import load_export, simulator_of
from spectrosim_search.deploy.export import export
from spectrosim_search.deploy.gallery import enrolled, name_mixtures
from spectrosim_search.deploy.generate import generate
from spectrosim_search.deploy.model_folder import load as load_pairs
from spectrosim_search.deploy.named_model import load_named
from spectrosim_search.deploy.retrain_named import train_named
from spectrosim_search.learning.engine import single_thread
from spectrosim_search.report.page import render
from spectrosim_search.search.candidates import Candidate
from spectrosim_search.search.class_bench import ClassBench
from spectrosim_search.search.class_fits import class_items, class_reference, fit_class_baseline
from spectrosim_search.search.confirm_budget import time_left, within_budget
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.plan import first_configuration
from spectrosim_search.search.records import EVERY_SEED, HELD_OUT_FOLD, StudyRecord
from spectrosim_search.search.run import Prepared, plan_study, prepare_study, run_study
from spectrosim_search.search.run_baselines import compare_baselines
from spectrosim_search.search.store import Store
from spectrosim_search.spectra.simulators import simulate

SMALL = {
    "identify": [
        "data.simulator_parameters.classes=10",
        "data.simulator_parameters.spectra=6",
        "data.simulator_parameters.channels=400",
        "data.simulator_parameters.shift=5",
        "data.simulator_parameters.margin=20",
        "data.simulator_parameters.class_distance=10",
        "data.simulator_parameters.peaks_high=5",
        "encoder.type=cnn",
        "encoder.width=4",
        "encoder.regions=8",
        "encoder.out=16",
        "encoder.stem_stride=4",
        "training.batch_size=32",
        "training.epochs=6",
        "confirmation.committee=0",
    ],
    "pretrain": [
        "data.simulator_parameters.batches=12",
        "data.simulator_parameters.batch_size=4",
        "data.simulator_parameters.channels=60",
        "encoder.width=4",
        "training.epochs=2",
        "program.epochs=4",
        "protocol.folds=2",
        "program.branch=discriminant",
        "program.trainable=all",
        "confirmation.label_fractions=[0.3]",
        "confirmation.committee=0",
    ],
    "synthesis": [
        "data.simulator_parameters.compounds=9",
        "data.simulator_parameters.spectra=4",
        "training.epochs=3",
        "program.amount=2",
        "protocol.folds=2",
    ],
}
BASELINES = {
    "identify": ("nearest-cosine",),
    "pretrain": ("majority", "knn"),
    "synthesis": ("none", "duplicates"),
}


def _prepared(task: str, *extra: str) -> Prepared:
    settings = [*SMALL[task], "budget.trials=3", "confirmation.finalists=1", "confirmation.seeds=2", *extra]
    prepared = prepare_study(task, set_=[*settings, "confirmation.minimum_seeds=1", "budget.minutes=0"])
    study = replace(prepared.study, baselines=BASELINES[task])
    return replace(prepared, study=replace(study, protocol=replace(study.protocol, seeds=1)))


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[StudyRecord, str]]:
    """Every task searched and confirmed once."""
    folder = tmp_path_factory.mktemp("classes")
    out = {}
    for task in SMALL:
        storage = f"sqlite:///{folder / task}.db"
        with single_thread():
            out[task] = run_study(_prepared(task), storage=storage, workers=0), storage
    return out


@pytest.mark.parametrize("task", SMALL)
def test_a_study_ends_in_a_verdict_over_units(task: str, runs: dict[str, tuple[StudyRecord, str]]) -> None:
    record, _ = runs[task]
    c = record.confirmation
    assert c is not None and c.metric == "accuracy"
    assert [r.kind for r in c.rows] == ["winner", *["baseline"] * len(BASELINES[task])]
    assert all(0 <= r.metrics["accuracy"].value <= 1 for r in c.rows)
    assert c.verdict.outcome in ("better", "not worse", "cannot tell")
    assert f" {record.design['unit']}" in c.verdict.sentence
    judged = c.classes[0]
    bench = ClassBench(_prepared(task).spectra, record.study)
    assert np.array_equal(judged.truth, bench.design.classes[judged.rows])
    assert c.class_names == bench.design.class_names
    page = render(record)
    assert 'id="figure-class-confusion"' in page and "reference rows" in page


def test_made_spectra_are_kept_beside_held_out_ones(runs: dict[str, tuple[StudyRecord, str]]) -> None:
    record, storage = runs["synthesis"]
    c = record.confirmation
    assert c is not None and c.mirrored is not None
    bench = ClassBench(_prepared("synthesis").spectra, record.study)
    winner = next(t.configuration for t in record.trials if t.number == c.winner_trial)
    assert winner is not None
    item = bench.confirmation_items(winner, 1)[0]
    judged = bench.split(item.fold).judged
    real = bench.spectra.intensities[judged] / bench.spectra.intensities[judged].max(axis=1, keepdims=True)
    for shown, code in zip(c.mirrored.real, c.mirrored.classes, strict=True):
        row = int(np.abs(100 * real - shown).max(axis=1).argmin())
        assert np.abs(100 * real[row] - shown).max() < 0.01
        assert bench.design.classes[judged[row]] == code
    assert 'id="figure-mirrored"' in render(record)
    stored = Store(storage).record("synthesis").confirmation
    assert stored is not None and stored.mirrored is not None
    np.testing.assert_array_equal(stored.mirrored.made, c.mirrored.made)
    assert stored.mirrored.ranked == c.mirrored.ranked
    others = runs["identify"][0].confirmation
    assert others is not None and others.mirrored is None


def test_the_stored_winner_is_the_mean_of_its_fresh_seeds(runs: dict[str, tuple[StudyRecord, str]]) -> None:
    record, _ = runs["pretrain"]
    c = record.confirmation
    assert c is not None
    fresh = [r for r in record.replicates if r.phase == "confirm" and r.configuration_id == c.winner_configuration_id]
    assert len(fresh) == 2 * 2  # folds × seeds
    by_seed = [
        np.mean(np.concatenate([p.predicted == p.truth for r in fresh if r.seed == s for p in r.classes]))
        for s in sorted({r.seed for r in fresh})
    ]
    assert c.rows[0].metrics["accuracy"].value + c.verdict.optimism == pytest.approx(np.mean(by_seed))


def test_a_curve_over_labels_ends_where_the_confirmation_stands(runs: dict[str, tuple[StudyRecord, str]]) -> None:
    record, _ = runs["pretrain"]
    c = record.confirmation
    assert c is not None
    points = {(p.method, p.share): p for p in c.label_curve}
    assert points.keys() == {(m, s) for m in ("winner", "counterpart", *BASELINES["pretrain"]) for s in (0.3, 1.0)}
    table = {row.name: row for row in c.rows}
    for name in ("winner", *BASELINES["pretrain"]):
        corrected = c.verdict.optimism if name == "winner" else 0.0
        value = table[name].metrics["accuracy"].value + corrected
        assert points[name, 1.0].metrics["accuracy"].value == pytest.approx(value)
    assert points["winner", 0.3].labelled < points["winner", 1.0].labelled == 24
    few, rival = points["winner", 0.3], points["knn", 0.3]
    assert rival.difference is not None and few.difference is None
    ahead = few.metrics["accuracy"].value - rival.metrics["accuracy"].value
    assert rival.difference.value == pytest.approx(ahead)
    runs_of_it = [r for r in record.replicates if r.phase == "confirm"]
    assert len(runs_of_it) == 2 * 2 * 4  # folds × seeds × (winner and counterpart at two shares)
    assert all(p.seeds == 2 or (p.method, p.share) in {("knn", 1.0), ("majority", 1.0)} for p in c.label_curve)


def test_going_on_trains_nothing_twice(runs: dict[str, tuple[StudyRecord, str]]) -> None:
    before, storage = runs["pretrain"]
    with single_thread():
        after = run_study(_prepared("pretrain"), storage=storage, workers=0)
    assert {r.key for r in after.replicates} == {r.key for r in before.replicates}
    assert after.confirmation is not None and before.confirmation is not None
    assert after.confirmation.rows == before.confirmation.rows
    assert after.confirmation.label_curve == before.confirmation.label_curve


def test_equal_items_give_equal_records() -> None:
    prepared = _prepared("identify")
    bench = ClassBench(prepared.spectra, prepared.study)
    item = bench.search_item(bench.base_configuration(), None, 0)
    with single_thread():
        first, second = (bench.run(item, worker="w", device="cpu", environment_id="e") for _ in range(2))
    assert np.array_equal(first.classes[0].confidence, second.classes[0].confidence)
    assert first.score == second.score


def test_program_and_reference_rows_learn_from_the_same_labelled_spectra() -> None:
    spectra = _prepared("pretrain").spectra
    labelled: dict[float, list[set[int]]] = {}
    for share in (0.1, 0.4, 1.0):
        bench = ClassBench(spectra, _prepared("pretrain", f"program.label_fraction={share}").study)
        for item in bench.confirmation_items(bench.base_configuration(), 2):
            task, given = bench.task(item), bench.class_input(item.fold, item.seed)
            known = np.flatnonzero(task.classes >= 0)
            assert np.array_equal(known, given.train) and np.array_equal(given.classes, task.classes)
            assert set(task.classes[known]) == set(range(len(task.class_names)))
            assert (given.spectra.labels[np.setdiff1d(task.train, known)] == "").all()
            labelled.setdefault(share, []).append(set(known.tolist()))
        seeds = {item.seed for item in class_items(bench, ["knn"], [1000, 1001], hold_out=False)}
        assert seeds == ({EVERY_SEED} if share == 1 else {1000, 1001})  # another seed, other labelled spectra
    for few, more, everything in zip(*labelled.values(), strict=True):
        assert few < more < everything
    assert labelled[0.4][0] != labelled[0.4][2]


@pytest.mark.parametrize("seeds", [[1000], [1000, 1001]])
def test_what_a_reference_row_tells_beside_its_score_is_of_the_runs_that_judge_it(seeds: list[int]) -> None:
    prepared = _prepared("synthesis", "protocol.scoring=hold-out")
    bench = ClassBench(prepared.spectra, prepared.study)
    items = class_items(bench, ["mixup"], seeds, hold_out=True)
    kept = [item for item in items if item.seed == 1000 or item.fold == 0]  # of a second seed one fold has been fitted
    with single_thread():
        fits = [fit_class_baseline(bench, item, worker="w", environment_id="e") for item in kept]
    (last,) = (f for f in fits if f.fold == HELD_OUT_FOLD)
    row = class_reference("mixup", bench, fits, seeds)
    assert row.seeds == 1 and set(row.details) >= {"novelty", "distinct"}
    assert row.details == dict(last.metrics)
    folds = {f.fold: f.metrics["novelty"] for f in fits if f.fold != HELD_OUT_FOLD and f.seed == 1000}
    alone = class_reference("mixup", bench, fits, seeds, hold_out=False)
    assert alone.details["novelty"] == pytest.approx(np.mean([*folds.values()]))


@pytest.mark.parametrize("task", SMALL)
def test_nothing_of_the_judged_spectra_is_given_away(task: str) -> None:
    prepared = _prepared(task)
    bench = ClassBench(prepared.spectra, prepared.study)
    item = bench.search_item(bench.base_configuration(), None, 0)
    given, task_given = bench.class_input(0, 0), bench.task(item)
    assert (task_given.classes[task_given.judged] == -1).all()
    for column in (given.spectra.groups, given.spectra.labels, given.spectra.split):
        assert (column[given.judged] == "").all()
    assert not given.spectra.extra and not given.spectra.truth


def test_scores_survive_the_database(runs: dict[str, tuple[StudyRecord, str]]) -> None:
    record, storage = runs["identify"]
    with Store(storage, read_only=True) as store:
        again = store.record(record.study.name)
    for a, b in zip(record.replicates, again.replicates, strict=True):
        for x, y in zip(a.classes, b.classes, strict=True):
            for name in ("rows", "truth", "predicted", "confidence"):
                assert np.array_equal(getattr(x, name), getattr(y, name))
            assert y.truth.dtype == np.int64 and y.confidence.dtype == np.float32


def test_export_train_and_identify(runs: dict[str, tuple[StudyRecord, str]], tmp_path: Path) -> None:
    record, _ = runs["identify"]
    path = tmp_path / "best.yaml"
    path.write_text(export(record), encoding="utf-8")
    document = load_export(path)
    assert simulator_of(document)["simulator"] == "class-table"
    spectra = _prepared("identify").spectra
    with single_thread():
        model = train_named(document, spectra, tmp_path / "model", seeds=1, folds=2)
        loaded = load_named(tmp_path / "model", ("identify",))
        found, again = model.identify(spectra), loaded.identify(spectra)
    assert np.array_equal(found.scores, again.scores)
    named = np.array([row["class"] for row in found.rows()])
    assert (named == spectra.groups).mean() > 0.5  # its own training spectra
    assert 0 < model.scores["accuracy"]["value"] <= 1
    assert found.rows(best=2)[0]["class 2"] in model.class_names
    assert "chosen by a search on these same spectra" in (tmp_path / "model" / "README.md").read_text()
    unsure = replace(found, reject_below=2.0)
    assert {row["class"] for row in unsure.rows(reject=True)} == {""}
    with pytest.raises(InputError, match="names classes"):
        load_pairs(tmp_path / "model")
    with pytest.raises(InputError, match="this command takes pretrain"):
        load_named(tmp_path / "model", ("pretrain",))
    new = replace(spectra.select(np.arange(4)), groups=np.array(["new", "new", "other", "other"]))
    with single_thread():
        larger = enrolled(loaded, new)
        rows, _ = name_mixtures(loaded, spectra.select(np.arange(3)), 2)
    assert larger.class_names == (*model.class_names, "new", "other")
    assert rows[0]["component 1"] != rows[0]["component 2"]


def test_a_damaged_folder_is_refused(runs: dict[str, tuple[StudyRecord, str]], tmp_path: Path) -> None:
    record, _ = runs["pretrain"]
    path = tmp_path / "best.yaml"
    path.write_text(export(record), encoding="utf-8")
    with single_thread():
        train_named(load_export(path), _prepared("pretrain").spectra, tmp_path / "model", seeds=1)
    weights = tmp_path / "model" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    with pytest.raises(InputError, match=r"weights\.safetensors"):
        load_named(tmp_path / "model")


def test_made_spectra_repeat_and_belong_to_their_class(
    runs: dict[str, tuple[StudyRecord, str]], tmp_path: Path
) -> None:
    record, _ = runs["synthesis"]
    path = tmp_path / "best.yaml"
    path.write_text(export(record), encoding="utf-8")
    with single_thread():
        model = train_named(load_export(path), _prepared("synthesis").spectra, tmp_path / "model", seeds=1)
        first, second = (generate(model, model.class_names[:2], count=3, seed=4) for _ in range(2))
    assert np.array_equal(first.intensities, second.intensities)
    assert first.groups.tolist() == [model.class_names[0]] * 3 + [model.class_names[1]] * 3
    assert (first.intensities >= 0).all()
    with single_thread():
        twice = generate(model, [*model.class_names[:2], model.class_names[0]], count=3, seed=4)
    assert np.array_equal(twice.intensities, first.intensities), "a class asked for twice is made once"
    assert len(set(twice.sample_ids.tolist())) == len(twice)
    with pytest.raises(InputError, match="knows no class 'nope'"):
        generate(model, ["nope"])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (["metric=auc"], "does not go with task pretrain"),
        (["confirmation.committee=2"], "committee"),
        (["program.type=identify"], "program.type"),
        (["program.nonsense=1"], "nonsense"),
        (["objectives=score,parameters"], "searched for its score alone"),
        (["baselines=cosine"], "unknown baseline 'cosine'"),
    ],
)
def test_what_does_not_go_with_a_task_is_said(settings: list[str], text: str) -> None:
    with pytest.raises(ConfigurationError, match=text):
        load_study("pretrain", set_=settings)


def test_one_generator_makes_the_spectra() -> None:
    with pytest.raises(ConfigurationError, match=r"confirmation\.committee: made spectra are of one generator"):
        load_study("synthesis", set_=["confirmation.committee=5"])


def test_class_metrics_are_refused_for_pairs() -> None:
    with pytest.raises(ConfigurationError, match="accuracy does not go with task same-batch"):
        load_study("quick", set_=["metric=accuracy"])
    with pytest.raises(ConfigurationError, match="task same-batch trains on all"):
        load_study("quick", set_=["protocol.train_share=0.5"])
    assert load_study("identify", set_=["protocol.train_share=0.5"]).protocol.train_share == 0.5


def test_a_task_of_its_own_leaves_other_studies_as_they_were() -> None:
    study = load_study("quick")
    assert study.task == "same-batch" and not any(path.startswith("program.") for path, _ in study.base)
    assert "vectors" in study.to_dict()["data"] and study.question == replace(study, name="other").question


def test_pair_commands_say_what_to_use_instead(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="task pretrain names a class: use run"):
        compare_baselines(_prepared("pretrain"), storage=f"sqlite:///{tmp_path / 'x.db'}", workers=0)
    assert not (tmp_path / "x.db").exists()


def test_the_plan_counts_and_times_one_run() -> None:
    plan = plan_study(_prepared("pretrain"), workers=2)
    assert plan["task"] == "pretrain" and plan["seconds a replicate (at most)"] > 0 and plan["units"] == 12


def test_studies_of_this_kind_are_bundled() -> None:
    for task in SMALL:
        study: Study = load_study(task)
        assert study.task == task and dict(study.base)["program.type"] == task


def test_near_duplicates_of_a_compound_are_kept_together() -> None:
    spectra = simulate("ei", compounds=8, spectra=4)
    copied = replace(spectra, intensities=spectra.intensities.copy())
    copied.intensities[1] = copied.intensities[0] * 1.001
    given = prepare_study("synthesis", spectra=copied).spectra
    assert given.split[0] == given.split[1] and len(np.unique(given.split)) < len(given)
    assert any("near-duplicates" in w for w in given.warnings)
    own = replace(copied, split=np.array([f"s{i}" for i in range(len(copied))], dtype=np.str_))
    assert np.array_equal(prepare_study("synthesis", spectra=own).spectra.split, own.split)


def test_a_choice_of_the_winner_leaves_time_for_the_curve_after_it(runs: dict[str, tuple[StudyRecord, str]]) -> None:
    record, _ = runs["pretrain"]
    study = replace(record.study, budget=replace(record.study.budget, minutes=10.0))
    fresh = replace(record, search_seconds=500.0, confirmation_seconds=0.0)
    now = time.monotonic()
    assert time_left(study, fresh, now)() and not time_left(study, fresh, now - 101.0)()
    assert time_left(study, fresh, now, lambda: 60.0)() and not time_left(study, fresh, now, lambda: 101.0)()
    done = within_budget(study, fresh, now, [], 2, lambda: 101.0)
    assert not done()  # nobody is short of seeds, and the curve needs what is left


@pytest.mark.parametrize(
    ("task", "settings", "told"),
    [
        (
            "pretrain",
            ["program.branch_axes=7"],
            "pretrain, raw, channels scaled, branch alone, branch_axes 7, features 3",
        ),
        ("pretrain", ["program.branch=none"], "pretrain, block-cnn, raw, channels scaled, features 3"),
        ("identify", [], "identify, whitened, sqrt, training.epochs 0"),
        ("identify", ["training.epochs=2", "program.readout=nearest"], "identify, whitened, sqrt, readout nearest"),
        ("synthesis", ["program.blend=0.0"], "synthesis, sqrt, spectra_per_class 2"),
        ("synthesis", ["program.blend=0.5"], "synthesis, stepped, sqrt, blend 0.5, spectra_per_class 2"),
    ],
)
def test_a_configuration_is_told_by_what_takes_part_and_is_not_as_usual(
    task: str, settings: list[str], told: str
) -> None:
    configuration = first_configuration(load_study(task, set_=settings))
    assert Candidate("a", "a", "finalist", configuration, 0, 1).settings() == told


def test_an_exported_discriminant_analysis_says_that_no_encoder_is_trained(
    runs: dict[str, tuple[StudyRecord, str]], tmp_path: Path
) -> None:
    record, _ = runs["pretrain"]
    assert "No encoder is trained" not in export(record)
    prepared = _prepared("pretrain")
    base = tuple((path, "alone" if path == "program.branch" else value) for path, value in prepared.study.base)
    asked = replace(prepared.study.confirmation, label_fractions=())
    prepared = replace(prepared, study=replace(prepared.study, base=base, confirmation=asked))
    with single_thread():
        alone = run_study(prepared, storage=f"sqlite:///{tmp_path / 'a.db'}", workers=0)
        path = tmp_path / "best.yaml"
        path.write_text(export(alone), encoding="utf-8")
        assert "No encoder is trained" in path.read_text(encoding="utf-8")
        model = train_named(load_export(path), prepared.spectra, tmp_path / "model", seeds=1)
    found = load_named(tmp_path / "model", ("pretrain",)).identify(prepared.spectra)
    assert np.array_equal(found.scores, model.identify(prepared.spectra).scores)
