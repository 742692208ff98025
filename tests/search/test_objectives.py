"""Studies with several objectives: what is stored, what repeats, what is refused; one objective is as it was."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import pytest
import sqlalchemy as sa

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.fields import content_hash
from spectrosim_search.config.study import Budget, Study
from spectrosim_search.search import progress, store_schema
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.front_times import measure_front
from spectrosim_search.search.importance import parameter_importance
from spectrosim_search.search.objectives import costs
from spectrosim_search.search.pareto import pareto_trials
from spectrosim_search.search.records import StudyRecord
from spectrosim_search.search.run import read_study
from spectrosim_search.search.space import build_configuration
from spectrosim_search.search.store import Store
from spectrosim_search.search.store_engine import locate, make_engine
from spectrosim_search.search.store_tables import StudyRow
from tests.search.searching import numbers, run_small, small_spectra, small_study

OBJECTIVES = ("score", "inference_time", "parameters")
TRIALS = 12


def several_study(sampler: str = "tpe", trials: int = TRIALS) -> Study:
    study = load_study(
        "quick",
        set_=[
            "training.epochs=2",
            "objectives=[score,inference_time,parameters]",
            f"sampler.type={sampler}",
            "sampler.startup=4",
        ],
        vary=["encoder.patch=8|16|32", "encoder.width=16|32", "head.out=8|32"],
    )
    return dataclasses.replace(study, name="small", budget=Budget(trials=trials))


def everything(record: StudyRecord) -> dict[str, Any]:
    return numbers(record) | {"objectives": [dict(t.objectives) for t in record.trials]}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("several")


@pytest.fixture(scope="module")
def whole(folder: Path) -> StudyRecord:
    return run_small(folder / "whole.db", several_study())[1]


def test_a_study_with_three_objectives(whole: StudyRecord, folder: Path) -> None:
    states = Counter(t.state for t in whole.trials)
    assert states["COMPLETE"] + states["PRUNED"] == TRIALS == len(whole.trials)
    assert states["COMPLETE"] >= 2 and states["PRUNED"] >= 1
    assert len({t.objectives["parameters"] for t in whole.trials}) > 3, "the space varies what a model costs"
    for wanted, t in zip([dict(entry) for entry in several_study().known_good], whole.trials):
        assert dict(t.parameters) == wanted, "known good configurations come first"
    for t in whole.trials:
        assert t.configuration is not None
        assert tuple(t.objectives) == OBJECTIVES
        assert dict(t.objectives) == {"score": t.value, **costs(t.configuration, small_spectra(), OBJECTIVES)}
        scores = [r.score for r in whole.replicates if r.configuration_id == t.configuration_id]
        for n, mean in t.intermediate.items():
            assert mean == pytest.approx(sum(scores[:n]) / n)
        assert t.value == t.intermediate[len(t.intermediate)], "also of pruned trials"
    stored = optuna.load_study(study_name="small", storage=f"sqlite:///{folder / 'whole.db'}")
    assert [d.name for d in stored.directions] == ["MAXIMIZE", "MINIMIZE", "MINIMIZE"]
    assert stored.metric_names == ["score", "inference time, counted (ms for 64 spectra)", "parameters"]
    for mine, theirs in zip(whole.trials, stored.trials, strict=True):
        assert theirs.intermediate_values == {}
        if mine.state == "COMPLETE":
            assert theirs.values == list(mine.objectives.values())
        else:
            assert theirs.values is None


def test_status_tells_the_front(whole: StudyRecord, folder: Path) -> None:
    with Store(folder / "whole.db", read_only=True) as store:
        status = store.status("small")
    assert status.objectives == OBJECTIVES
    expected = pareto_trials(whole)
    assert [(r.trial, dict(r.objectives)) for r in status.front] == [(t.number, dict(t.objectives)) for t in expected]
    best = max((t for t in whole.trials if t.state == "COMPLETE"), key=lambda t: t.value or 0.0)
    assert best.number in {r.trial for r in status.front}, "nothing beats the best score"
    assert status.best_value == best.value


@pytest.mark.parametrize("sampler", ["tpe", pytest.param("nsga2", marks=pytest.mark.slow)])
def test_interrupted_and_resumed_is_as_if_not(sampler: str, tmp_path: Path, whole: StudyRecord) -> None:
    """The driver dies at every ninth replicate and at every fifth start of a trial, and is started again each time."""

    class Stop(Exception):
        """Stands for a driver that dies."""

    seen: Counter[type] = Counter()

    def die(happened: progress.Event) -> None:
        if getattr(happened, "resumed", False):  # or a start with five trials under way would never get past them
            return
        seen[type(happened)] += 1
        if isinstance(happened, progress.ReplicateDone) and seen[type(happened)] % 9 == 0:
            raise Stop
        if isinstance(happened, progress.TrialStarted) and seen[type(happened)] % 5 == 0:
            raise Stop

    study = several_study(sampler)
    uninterrupted = whole if sampler == "tpe" else run_small(tmp_path / "whole.db", study)[1]
    if sampler == "nsga2":
        asked = optuna.load_study(study_name="small", storage=f"sqlite:///{tmp_path / 'whole.db'}").trials
        assert max(t.system_attrs.get("Generations:generation", 0) for t in asked) >= 1, "children were asked for"
    deaths = 0
    for _ in range(60):
        try:
            run_small(tmp_path / "a.db", study, listener=die)
            break
        except Stop:
            deaths += 1
    assert deaths >= 3
    with Store(tmp_path / "a.db", read_only=True) as store:
        assert everything(store.record("small")) == everything(uninterrupted)


def test_front_times_are_measured_once_and_change_nothing_else(whole: StudyRecord, tmp_path: Path) -> None:
    spectra, study = small_spectra(), several_study(trials=3)
    run_small(tmp_path / "a.db", study)
    with Store(tmp_path / "a.db") as store:
        before = store.record("small")
        on_front = {t.number for t in pareto_trials(before)}
        assert measure_front(store, study, spectra) == len(on_front) > 0
        assert measure_front(store, study, spectra) == 0, "what was measured stays"
        after = store.record("small")
    assert everything(after) == everything(before)
    for t in after.trials:
        assert (t.measured_inference is not None) == (t.number in on_front)
        assert t.measured_inference is None or 0 < t.measured_inference < 10_000


def test_importance_is_for_the_score(whole: StudyRecord, folder: Path) -> None:
    shares = read_study("small", str(folder / "whole.db")).design["importance"]
    assert shares and sum(shares.values()) == pytest.approx(1.0)
    with Store(folder / "whole.db", read_only=True) as store:
        reversed_scores = {t.number: -(t.value or 0.0) for t in whole.trials}
        other = parameter_importance(store.optuna_study("small"), reversed_scores)
    assert other != shares


def test_costs_depend_on_the_model_and_not_on_the_spectra() -> None:
    studies = [load_study("quick", set_=[f"encoder.width={w}"]) for w in (16, 64)]
    small, large = (build_configuration(s, dict(s.known_good[0])) for s in studies)
    one, other = small_spectra(seed=0), small_spectra(seed=5)
    assert costs(small, one, OBJECTIVES) == costs(small, other, OBJECTIVES) == costs(small, one, OBJECTIVES)
    for name, value in costs(small, one, OBJECTIVES).items():
        assert value < costs(large, one, OBJECTIVES)[name]
    assert costs(small, one, ("score",)) == {}
    assert list(costs(small, one, ("score", "parameters"))) == ["parameters"]


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["objectives=[score,parametrs]"], "objectives.1: 'parametrs' is unknown (did you mean 'parameters'?)"),
        (["objectives=[parameters,score]"], "objectives: starts with score"),
        (["objectives=[]"], "objectives: starts with score"),
        (["objectives=[score,parameters,parameters]"], "objectives: 'parameters' stands twice"),
        (["objectives=[score,parameters]", "sampler.type=cmaes"], "cmaes takes one objective only"),
        (["confirmation.front=2"], "one objective has no front"),
    ],
)
def test_what_is_refused(options: list[str], problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_study("quick", set_=options)
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]
    assert "\n" not in caught.value.problems[0]


def test_one_objective_asks_the_question_it_always_asked(tmp_path: Path) -> None:
    study = small_study(3)
    assert study.objectives == ("score",)
    older = {k: v for k, v in study.to_dict().items() if k != "objectives"}
    older["data"] = {k: v for k, v in older["data"].items() if k != "vectors"}
    older["protocol"] = {k: v for k, v in older["protocol"].items() if k not in ("outer_folds", "train_share")}
    kept = {k: v for k, v in older.items() if k not in ("name", "description", "budget", "confirmation", "baselines")}
    assert study.question == content_hash(kept)
    assert dataclasses.replace(study, objectives=("score", "parameters")).question != study.question
    _, record = run_small(tmp_path / "a.db", study)
    assert all(t.objectives == {} and t.intermediate for t in record.trials)
    with Store(tmp_path / "a.db", read_only=True) as store, store.engine.connect() as connection:
        assert connection.execute(sa.text("SELECT count(*) FROM spectrosim_trial_costs")).scalar() == 0
        assert store.status("small").front == ()


def test_older_databases_go_on_working(tmp_path: Path) -> None:
    """A database of the first version: read as it is, brought up to date when it is written, its study gone on with."""
    file = tmp_path / "a.db"
    run_small(file, small_study(2))
    engine = make_engine(locate(file), read_only=False)
    with engine.begin() as connection:  # what the first version had written
        connection.execute(sa.text("DROP TABLE spectrosim_baseline_fits"))
        connection.execute(sa.text("DROP TABLE spectrosim_trial_costs"))
        connection.execute(sa.text("UPDATE spectrosim_alembic_version SET version_num = '0001_first_tables'"))
        text = connection.execute(sa.select(StudyRow.study)).scalar_one()
        older = text.replace('"objectives":["score"],', "").replace('"front":0,', "")
        assert len(older) < len(text) - 30
        connection.execute(sa.update(StudyRow).values(study=older, question="hashed over other fields"))
    engine.dispose()
    before = file.read_bytes()
    with Store(file, read_only=True) as store:
        assert store.status("small").objectives == ("score",)
        assert len(store.record("small").trials) == 2
    assert file.read_bytes() == before, "reading changes nothing"
    _, record = run_small(file, small_study(4))
    assert len(record.trials) == 4
    with Store(file) as store, store.engine.connect() as connection:
        assert store_schema.current_revision(connection) == store_schema.head_revision() == "0003_baseline_fits"
