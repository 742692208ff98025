import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from spectrosim_search.config import registry
from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.config.study import Study
from spectrosim_search.search.budget import confirmation_replicates
from spectrosim_search.search.documents import describe_space, list_studies, load_study, study_from_dict
from spectrosim_search.search.documents.describe import range_text
from spectrosim_search.search.documents.dimensions import dimension, short_form

ROOT = Path(__file__).parents[2]


def write(folder: Path, text: str, name: str = "s") -> str:
    path = folder / f"{name}.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def dims(study: Study) -> dict[str, object]:
    return {d.path: d for d in study.dimensions}


def problems(name: str, **options: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        load_study(name, **options)  # type: ignore[arg-type]  # wrong options are what is tested
    assert all("\n" not in problem for problem in caught.value.problems)
    return "\n".join(caught.value.problems)


def test_bundled_studies() -> None:
    known = [name for name, description in list_studies() if description]
    assert known == [
        "augmentations",
        "batch-size",
        "encoders",
        "everything",
        "frameworks",
        "heads",
        "hybrid",
        "identify",
        "pretrain",
        "quick",
        "synthesis",
        "temperature",
        "transformer",
        "whitened",
    ]
    transformer, quick = load_study("transformer"), load_study("quick")
    assert (transformer.name, quick.name) == ("transformer", "quick")
    assert transformer.budget.minutes == 8 and quick.budget.minutes == 2
    assert transformer.data.path == "" and transformer.data.simulator == "reims"
    assert len(transformer.known_good) >= 2 and len(quick.known_good) >= 2
    varied = {d.path for d in transformer.dimensions}
    assert {"encoder.width", "objective.temperature", "training.batch_size", "head.type", "head.width"} <= varied
    assert {"augmentations.jitter", "augmentations.jitter.strength", "positives.source"} <= varied


def test_conditions_come_after_what_they_depend_on() -> None:
    seen: set[str] = set()
    for dim in load_study("transformer").dimensions:
        assert {path for path, _ in dim.when} <= seen
        seen.add(dim.path)


def test_conditions_come_after_even_where_the_document_has_them_before(tmp_path: Path) -> None:
    study = load_study(
        write(
            tmp_path,
            "vary: {preprocessing.window: {choices: [7, 9], when: {preprocessing.derivative: 1}}, "
            "head.width: [8, 16], preprocessing.derivative: [0, 1], head.type: [mlp, linear]}",
        )
    )
    assert [d.path for d in study.dimensions] == [
        "preprocessing.derivative",
        "preprocessing.window",
        "head.type",
        "head.width",
    ]
    assert study.dimensions[3].when == (("head.type", ("mlp",)),)  # nobody had to say so


def test_conditions_in_a_circle_are_refused(tmp_path: Path) -> None:
    text = (
        "vary: {preprocessing.window: {choices: [7, 9], when: {preprocessing.derivative: 1}}, "
        "preprocessing.derivative: {choices: [0, 1], when: {preprocessing.window: 7}}}"
    )
    assert "depends on itself" in problems(write(tmp_path, text))


def test_set_fixes_and_removes_the_dimension() -> None:
    study = load_study("transformer", set_=["temperature=0.3", "head.type=linear", "jitter=false"])
    assert dict(study.base)["objective.temperature"] == 0.3
    left = dims(study)
    assert not {"objective.temperature", "head.type", "head.width", "augmentations.jitter.strength"} & left.keys()
    assert {"head.out", "augmentations.shift.strength"} <= left.keys()
    fixed = load_study("transformer", set_={"head.type": "mlp", "jitter": True})
    assert dims(fixed)["head.width"].when == () and dims(fixed)["augmentations.jitter.strength"].when == ()  # type: ignore[attr-defined]


def test_changing_a_member_drops_the_settings_of_the_old_one() -> None:
    study = load_study("transformer", set_=["encoder.type=one-token-transformer"])
    assert "encoder.patch" not in dict(study.base) and "encoder.patch" not in dims(study)
    assert dict(study.base)["encoder.type"] == "one-token-transformer"


def test_set_reaches_the_study() -> None:
    study = load_study(
        "quick",
        set_=[
            "protocol.folds=2",
            "budget.trials=20",
            "confirmation.seeds=5",
            "ladder.rungs=1,2,4",
            "baselines=[cosine, linear-metric]",
            "data.group_column=7",
            "data.simulator_parameters.seed=3",
            "name=mine",
            "seed=11",
            "hold_out=.25",
        ],
    )
    assert (study.protocol.folds, study.budget.trials, study.confirmation.seeds) == (2, 20, 5)
    assert study.ladder.rungs == (1, 2, 4) and study.baselines == ("cosine", "linear-metric")
    assert study.data.group_column == "7" and study.data.simulator_parameters == (("seed", 3),)
    assert (study.name, study.seed, study.protocol.hold_out) == ("mine", 11, 0.25)
    assert study.budget.minutes == 2  # the rest of the section stays


def test_data_of_the_caller_replaces_the_simulator(tmp_path: Path) -> None:
    path = write(tmp_path, "data: {simulator: reims, simulator_parameters: {seed: 3}}\nvary: {head.out: [8, 16]}")
    study = load_study(path, data={"path": "table.csv", "group_column": "batch", "label_column": ""})
    assert (study.data.path, study.data.group_column, study.data.simulator_parameters) == ("table.csv", "batch", ())
    assert "both" in problems(write(tmp_path, "data: {path: x.csv, simulator_parameters: {seed: 3}}", "t"))


def test_a_data_path_is_relative_to_its_study(tmp_path: Path) -> None:
    (tmp_path / "spectra.csv").write_text("x", encoding="utf-8")
    assert load_study(write(tmp_path, "data: {path: spectra.csv}")).data.path == str(tmp_path / "spectra.csv")
    (tmp_path / "vectors.csv").write_text("x", encoding="utf-8")
    data = load_study(write(tmp_path, "task: synthesis\ndata: {path: spectra.csv, vectors: vectors.csv}")).data
    assert (data.path, data.vectors) == (str(tmp_path / "spectra.csv"), str(tmp_path / "vectors.csv"))
    own = load_study(write(tmp_path, "data: {vectors: vectors.csv}"), data={"vectors": "mine.csv"})
    assert own.data.vectors == "mine.csv"  # what the caller names is relative to the caller


def test_vary_replaces_a_range_and_keeps_its_condition() -> None:
    study = load_study("transformer", vary=["temperature=0.05..0.5", "head.width=16..64:step=16", "depth=2|3"])
    found = {d.path: d for d in study.dimensions}
    temperature, width = found["objective.temperature"], found["head.width"]
    assert (temperature.low, temperature.high, temperature.log) == (0.05, 0.5, False)
    assert (width.kind, width.step, width.when) == ("int", 16, (("head.type", ("mlp",)),))
    assert found["encoder.depth"].choices == (2, 3)
    mapping = load_study("quick", vary={"head.out": [8, 16], "batch-size": {"low": 8, "high": 32, "log": True}})
    assert {d.path: d.kind for d in mapping.dimensions}["training.batch_size"] == "int"


def test_vary_a_setting_that_no_member_in_reach_has() -> None:
    text = problems("transformer", set_=["head.type=linear"], vary=["head.width=16..32"])
    assert "--vary head.width: head.type is linear, which has no such setting (it belongs to mlp)" in text
    assert "is off" in problems("transformer", set_=["jitter=false", "jitter.strength=.3"])
    assert "which has no such setting" in problems("quick", set_=["head.type=linear", "head.width=64"])


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"set_": ["foo"]}, "write key=value"),
        ({"set_": ["width=64"]}, "can mean encoder.width, head.width"),
        ({"set_": ["tempurature=1"]}, "did you mean 'temperature'"),
        ({"set_": ["protocol.fold=1"]}, "did you mean 'protocol.folds'"),
        ({"set_": ["temperature=hot"]}, "'hot' is not a number"),
        ({"set_": ["temperature=99"]}, "above the largest value 10"),
        ({"set_": ["encoder.depth=1.5"]}, "not a whole number"),
        ({"set_": ["head.type=mpl"]}, "did you mean 'mlp'"),
        ({"set_": ["protocol.folds=2.5"]}, "--set protocol.folds: 2.5 is not a whole number"),
        ({"set_": ["protocol.name=c3"]}, "known: batch-disjoint, random-pairs, shared-batch"),
        ({"set_": ["budget.trials=0"]}, "below the smallest value 1"),
        ({"set_": ["protocol.folds=1"]}, "one fold"),
        ({"set_": ["confirmation.seeds=1"]}, "above confirmation.seeds"),
        ({"set_": ["ladder.rungs=3,1"]}, "does not rise"),
        ({"set_": ["confirmation.label_fractions=0.1"]}, "task pretrain alone is asked about few labels"),
        ({"set_": ["baselines=cosin"]}, "unknown baseline 'cosin' (did you mean 'cosine'?)"),
        ({"set_": ["baselines=cosine,cosine"]}, "'cosine' stands twice"),
        ({"set_": ["confirmation.presets=[paper]"]}, "unknown preset"),
        ({"set_": ["data.simulator=reim"]}, "did you mean 'reims'"),
        ({"set_": ["seed=1", "seed=2"]}, "given twice"),
        ({"data": {"paht": "x.csv"}}, "did you mean 'path'"),
        ({"set_": ["temperature=1"], "vary": ["temperature=0.1..1"]}, "also given to --vary"),
        ({"vary": ["protocol.folds=2..3"]}, "unknown key"),
        ({"vary": ["temperature=1..0.1"]}, "low 1 is above high 0.1"),
        ({"vary": ["encoder.heads=3|4"]}, "is not a multiple of heads 3"),
        (
            {"vary": ["head.type=mlp|null"]},
            "--vary head.type: the choice 'null' is not a number, a text, true or false",
        ),
        ({"vary": ["temperature={.nan, 1}"]}, "the choice '.nan' is not a number, a text, true or false"),
        ({"vary": ["spectra_per_group=2..16", "positives.source=groups", "batch_size=8|16"]}, "do not fit into"),
    ],
)
def test_options_that_cannot_be(options: dict[str, object], says: str) -> None:
    assert says in problems("transformer", **options)


def test_all_wrong_options_are_told_at_once() -> None:
    text = problems("transformer", set_=["foo", "width=3", "tempurature=3"], vary=["head.type=mpl", "depth=3..1"])
    assert len(text.splitlines()) == 5
    text = problems(
        "transformer", set_=["precision=x", "budget.trials=0", "protocol.name=c3", "baselines=[a"], vary=["depth=3..1"]
    )
    for expected in (
        "precision: 'x' is",
        "trials: 0 is below",
        "name: 'c3' is",
        "baselines, line 1: not valid",
        "low 3 is above",
    ):
        assert sum(expected in line for line in text.splitlines()) == 1, expected
    assert len(text.splitlines()) == 5


def test_all_problems_of_a_document_are_told_at_once(tmp_path: Path) -> None:
    text = problems(
        write(
            tmp_path,
            "budgt: {trials: 3}\nbudget: {trails: 3, minutes: -1}\nmetric: acc\nprotocol: {folds: two}\nseed: 1.5\n"
            "sampler: {type: tpee}\nladder: {keep: 2}\n",
        )
    )
    for expected in (
        "s.yaml, line 1, budgt: unknown key (did you mean 'budget'?)",
        "s.yaml, line 2, budget.trails: unknown key (did you mean 'trials'?)",
        "s.yaml, line 2, budget.minutes: -1 is below the smallest value 0",
        "s.yaml, line 3, metric: 'acc' is unknown",
        "s.yaml, line 4, protocol.folds: 'two' is not a whole number",
        "s.yaml, line 5, seed: 1.5 is not a whole number",
        "s.yaml, line 6, sampler.type: 'tpee' is unknown (did you mean 'tpe'?)",
        "s.yaml, line 7, ladder.keep: 2 is above the largest value 1",
    ):
        assert expected in text
    text = problems(
        write(
            tmp_path,
            "preset: spectrosim-papr\nspaces: [temperatur]\nfixed: {head.out: 1}\nbase: {encoder: {witdh: 3}}\n"
            "vary: {head.out: [8]}\nknown_good: [{foo: 1}]\n",
        )
    )
    for expected in (
        "did you mean 'spectrosim-paper'",
        "unknown search space 'temperatur' (did you mean 'temperature'?)",
        "s.yaml, line 3, fixed.head.out: 1 is below the smallest value 2",
        "fixed.head.out: varies and is fixed",
        "s.yaml, line 4, base.encoder.witdh: unknown key 'encoder.witdh' (did you mean 'encoder.width'?)",
        "s.yaml, line 6, known_good.0.foo: unknown key",
    ):
        assert expected in text


def test_known_good_is_completed_from_the_base(tmp_path: Path) -> None:
    text = (
        "base: {head: {type: linear}, augmentations: {jitter: {strength: .4}}}\n"
        "vary: {head.type: [linear, mlp], head.width: [64, 128], objective.temperature: 0.05..0.5, "
        "augmentations.jitter: [true, false], augmentations.jitter.strength: 0.1..1, training.batch_size: 32..64}\n"
        "known_good: [{}, {head.type: mlp, augmentations.jitter: false}, {}]\n"
    )
    study = load_study(write(tmp_path, text))
    first, second = (dict(entry) for entry in study.known_good)  # the doubled one is dropped
    assert first == {
        "head.type": "linear",
        "objective.temperature": 0.1,
        "augmentations.jitter": True,
        "augmentations.jitter.strength": 0.4,
        "training.batch_size": 32,
    }
    assert second["head.width"] == 128 and "augmentations.jitter.strength" not in second
    narrowed = load_study(write(tmp_path, text), vary=["temperature=0.2..0.3"], set_=["head.type=linear"])
    assert dict(narrowed.known_good[0])["objective.temperature"] == 0.2 and len(narrowed.known_good) == 2


def test_known_good_that_the_search_cannot_hold_is_refused(tmp_path: Path) -> None:
    text = (
        "vary: {head.type: [linear, mlp], head.width: [64, 128], objective.temperature: 0.05..0.5}\n"
        "known_good: [{objective.temperature: 3}, {training.epochs: 9}, {head.type: linear, head.width: 64}]\n"
    )
    said = problems(write(tmp_path, text))
    assert "known_good.0: objective.temperature: 3.0 lies outside 0.05..0.5" in said
    assert "known_good.1: training.epochs does not vary" in said
    assert "known_good.2: head.width varies only where head.type = mlp" in said


def test_preset_gives_starting_values(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, "preset: spectrosim-chapter\nspaces: [temperature]\nbase: {training.epochs: 7}"))
    base = dict(study.base)
    assert (base["training.epochs"], base["encoder.patch"], base["augmentations.flip"]) == (7, 104, True)
    assert base["objective.temperature"] == 0.07


def test_a_study_without_search_has_its_base_only(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, "preset: spectrosim-paper", "fixed-one"))
    assert study.dimensions == () and study.known_good == () and study.name == "fixed-one"


def test_studies_in_a_folder_and_spaces_beside_them(tmp_path: Path) -> None:
    (tmp_path / "search_spaces").mkdir()
    write(tmp_path / "search_spaces", "vary: {head.out: [8, 16]}", "own")
    write(tmp_path, "name: mine\nspaces: [own, temperature]", "study")
    assert [d.path for d in load_study(tmp_path).dimensions] == ["head.out", "objective.temperature"]


def test_unknown_studies() -> None:
    with pytest.raises(InputError, match="unknown study 'transfomer' \\(did you mean 'transformer'\\?\\)"):
        load_study("transfomer")
    with pytest.raises(InputError, match=r"no file 'nowhere/x\.yaml'"):
        load_study("nowhere/x.yaml")


def test_study_survives_json_and_its_question_is_stable() -> None:
    for name in ("transformer", "quick"):
        study = load_study(name)
        again = study_from_dict(json.loads(json.dumps(study.to_dict())))
        assert again == study and again.question == study.question == load_study(name).question
    assert load_study("quick", set_=["budget.trials=5"]).question == load_study("quick").question
    assert load_study("quick", set_=["temperature=.1"]).question != load_study("quick").question


def test_rows_describe_every_key_and_read_back() -> None:
    study = load_study("transformer")
    rows = {row.key: row for row in describe_space(study)}
    assert rows["objective.temperature"].values == "0.02..1:log" and rows["objective.temperature"].start == "0.1"
    assert rows["head.width"].when == "head.type = mlp"
    assert rows["training.patience"].kind == "fixed" and rows["training.patience"].values == "12"
    assert all(row.description for row in rows.values())
    for dim in study.dimensions:
        again = dimension(dim.path, short_form(range_text(dim), "test"), "test")
        assert (again.kind, again.low, again.high, again.log, again.step, again.choices) == (
            dim.kind,
            dim.low,
            dim.high,
            dim.log,
            dim.step,
            dim.choices,
        )


def run_python(code: str, folder: Path) -> str:
    environment = {**os.environ, "PYTHONPATH": str(folder), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_documents_imports_no_heavy_package() -> None:
    code = (
        "import sys, spectrosim_search.search.documents, spectrosim_search.search.space; "
        "print([m for m in ('torch', 'optuna', 'ray', 'sklearn', 'pandas') if m in sys.modules])"
    )
    assert run_python(code, ROOT) == "[]"


def test_bundled_documents_are_found_where_a_wheel_puts_them(tmp_path: Path) -> None:
    sources = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for source, target in sources["tool"]["hatch"]["build"]["targets"]["wheel"]["sources"].items():
        shutil.copytree(ROOT / source, tmp_path / target, ignore=shutil.ignore_patterns("__pycache__"))
    code = (
        "from spectrosim_search.search.documents import load_study, bundled; "
        "print(load_study('transformer').question, bundled.bundled_directory('schemas'))"
    )
    question, folder = run_python(code, tmp_path).split(" ", 1)
    assert question == load_study("transformer").question
    assert Path(folder) == tmp_path / "spectrosim_search" / "bundled" / "schemas"


def test_each_mistake_is_told_once(tmp_path: Path) -> None:
    text = (
        "base: 3\nspaces: temperature\nvary:\n  objective.temperature: 3\n  head.out: {choices: 8}\n"
        "  head.type: {choices: [[1]]}\n  encoder.depth: {low: '1e-3', high: 2}\n"
        "data: {simulator_parameters: {a: [1]}}\n"
    )
    assert set(problems(write(tmp_path, text)).splitlines()) == {
        "s.yaml, line 8, data.simulator_parameters.a: [1] is not a number, a text, true or false",
        "s.yaml, line 1, base: 3 is not a mapping of keys and values",
        "s.yaml, line 2, spaces: 'temperature' is not a list",
        "s.yaml, line 4, vary.objective.temperature: 3 is not a mapping of keys and values",
        "s.yaml, line 5, vary.head.out.choices: 8 is not a list",
        "s.yaml, line 6, vary.head.type.choices.0: [1] is not a number, a text, true or false",
        "s.yaml, line 7, vary.encoder.depth.low: '1e-3' is not a number",
    }


def test_a_short_form_with_a_choice_that_is_none(tmp_path: Path) -> None:
    assert "vary.head.type: the choice '~' is not a number, a text" in problems(
        write(tmp_path, "vary: {head.type: 'mlp|~'}\n")
    )


def test_sections_left_empty_are_left_out(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, "data:\nvary:\nspaces:\nfixed: {augmentations: {flip: }}\n"))
    assert study.dimensions == () and dict(study.base)["augmentations.flip"] is True


def test_a_short_key_means_the_common_section_before_a_program() -> None:
    study = load_study("pretrain", set_=["batch_size=16", "label_fraction=0.5", "program.batch_size=8"])
    base = dict(study.base)
    assert (base["training.batch_size"], base["program.batch_size"], base["program.label_fraction"]) == (16, 8, 0.5)


@pytest.mark.parametrize("given", ["[0.3,0.1]", "[0,0.1]", "[0.1,1.5]", "[0.1,0.1]"])
def test_shares_of_the_labels_rise_between_none_and_all(given: str) -> None:
    assert "label_fractions: " in problems("pretrain", set_=[f"confirmation.label_fractions={given}"])
    assert load_study("pretrain", set_=["confirmation.label_fractions=[]"]).confirmation.label_fractions == ()


def test_a_curve_over_labels_is_reckoned_with() -> None:
    """One seed of the winner and its counterpart at every share and with all labels, the winner's there being done."""
    asked = load_study("pretrain", set_=["confirmation.label_fractions=[0.1,0.2]"])
    without = load_study("pretrain", set_=["confirmation.label_fractions=[]"])
    assert confirmation_replicates(asked, 5) - confirmation_replicates(without, 5) == (3 * 2 - 1) * 5


@pytest.mark.parametrize("task", ["identify", "pretrain", "synthesis"])
def test_a_task_alone_is_a_study(tmp_path: Path, task: str) -> None:
    program = registry.load("search.programs", task)
    study = load_study(str(write(tmp_path, f"task: {task}")))
    assert (study.metric, study.confirmation.presets) == ("accuracy", ())
    assert study.baselines == program.REFERENCES
    every = load_study(str(write(tmp_path, f"task: {task}\nbaselines: [all]\nmetric: macro_f1")))
    assert every.metric == "macro_f1"
    assert set(every.baselines) == set(registry.names(program.BASELINES))
    with pytest.raises(ConfigurationError, match="presets are of task same-batch"):
        load_study(str(write(tmp_path, f"task: {task}\nconfirmation: {{presets: [spectrosim-paper]}}")))
