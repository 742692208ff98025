import dataclasses
import importlib.util
import math

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState, create_trial

from spectrosim_search.config.errors import MissingExtraError
from spectrosim_search.config.study import Dimension, Sampler, Study
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.samplers import FilteredSampler, SobolSampler, make_sampler, trial_seed
from spectrosim_search.search.space import suggest_values

HAS_CMAES = importlib.util.find_spec("cmaes") is not None
KINDS = [
    "tpe",
    "random",
    "qmc",
    "gp",
    "nsga2",
    pytest.param("cmaes", marks=pytest.mark.skipif(not HAS_CMAES, reason="package cmaes is not installed")),
]


def score(values: dict[str, object]) -> float:
    """Best near temperature .1 with a linear head."""
    off = abs(math.log(float(str(values["objective.temperature"])) / 0.1))
    return -off - (0.5 if values["head.type"] != "linear" else 0.0)


def ask_all(
    kind: str, study: Study, seed: int, count: int, storage: str | None = None, start: int = 0
) -> list[dict[str, object]]:
    optuna_study = optuna.create_study(
        study_name="s", direction="maximize", storage=storage, load_if_exists=storage is not None
    )
    sampler = dataclasses.replace(study.sampler, type=kind, startup=4)
    for number in range(start, count):
        optuna_study.sampler = make_sampler(sampler, seed, number, study.dimensions)
        trial = optuna_study.ask()
        assert trial.number == number
        values = suggest_values(trial, study)
        pruned = number % 3 == 2
        trial.report(score(values), 1)
        optuna_study.tell(trial, None if pruned else score(values), state=TrialState.PRUNED if pruned else None)
    return [trial.params for trial in optuna_study.trials]


@pytest.fixture(scope="module")
def small_study() -> Study:
    return load_study("quick", vary=["head.type=linear|mlp", "head.width=32|64", "depth=1..2"])


@pytest.mark.parametrize("kind", KINDS)
def test_same_seed_same_questions_without_warnings(kind: str, small_study: Study) -> None:
    first = ask_all(kind, small_study, 7, 10)
    assert ask_all(kind, small_study, 7, 10) == first
    assert ask_all(kind, small_study, 8, 10) != first
    assert any("head.width" in values for values in first) and any("head.width" not in values for values in first)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupted_study_goes_on_as_if_it_had_not_been(
    kind: str, small_study: Study, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = ask_all(kind, small_study, 7, 9)
    storage = f"sqlite:///{tmp_path_factory.mktemp('db')}/s.db"
    ask_all(kind, small_study, 7, 5, storage)
    assert ask_all(kind, small_study, 7, 9, storage, start=5) == whole


def test_seeds_differ_between_trials_and_studies() -> None:
    seeds = {trial_seed(study, number) for study in range(20) for number in range(20)}
    assert len(seeds) == 400 and all(0 <= seed < 2**32 for seed in seeds)


def test_tpe_learns(small_study: Study) -> None:
    """Over three seeds the later half of a search lies nearer to the optimum than a random one's."""
    learned = [score(v) for seed in range(3) for v in ask_all("tpe", small_study, seed, 40)[20:]]
    blind = [score(v) for seed in range(3) for v in ask_all("random", small_study, seed, 40)[20:]]
    assert sum(learned) / len(learned) > sum(blind) / len(blind) + 0.3


def test_missing_cmaes_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match="spectrosim-search\\[cmaes\\]"):
        make_sampler(Sampler(type="cmaes"), 0, 0)


def test_sobol_points_fill_every_dimension_evenly() -> None:
    dimensions = (
        Dimension("a", "float", low=0.01, high=1.0, log=True),
        Dimension("b", "int", low=1, high=4),
        Dimension("c", "categorical", choices=("x", "y")),
        Dimension("d", "float", low=0.0, high=1.0, step=0.25),
        Dimension("e", "int", low=1, high=64, log=True),
    )
    study = optuna.create_study()
    drawn: list[dict[str, object]] = []
    for number in range(64):
        study.sampler = SobolSampler(3, number, dimensions)
        trial = study.ask()
        drawn.append(suggest_values(trial, Study("s", dimensions=dimensions)))
        study.tell(trial, 0.0)
    assert [sum(v["b"] == b for v in drawn) for b in (1, 2, 3, 4)] == [16, 16, 16, 16]
    assert sum(v["c"] == "x" for v in drawn) == 32
    assert sum(float(str(v["a"])) < 0.1 for v in drawn) == 32
    assert {v["d"] for v in drawn} == {0.0, 0.25, 0.5, 0.75, 1.0}
    assert sum(int(str(v["e"])) <= 8 for v in drawn) in range(30, 45)


SPACE = {
    "x": FloatDistribution(0.0, 1.0),
    "n": IntDistribution(0, 9),
    "c": CategoricalDistribution(("a", "b")),
}


def long_study(count: int) -> optuna.Study:
    study = optuna.create_study(direction="maximize")
    for number in range(count):
        x = (number * 0.618034) % 1.0
        study.add_trial(
            create_trial(params={"x": x, "n": number % 10, "c": "ab"[number % 2]}, distributions=SPACE, value=x)
        )
    return study


class Recorder(optuna.samplers.RandomSampler):
    """Notes which finished trials it is shown."""

    seen: tuple[int, ...] = ()

    def infer_relative_search_space(
        self, study: optuna.Study, trial: optuna.trial.FrozenTrial
    ) -> dict[str, optuna.distributions.BaseDistribution]:
        listed = study._get_trials(deepcopy=False, states=(TrialState.COMPLETE,), use_cache=True)
        self.seen = tuple(t.number for t in listed)
        return {}


def test_a_long_study_shows_its_best_and_latest_trials() -> None:
    study = long_study(60)
    recorder = Recorder(seed=0)
    study.sampler = FilteredSampler(recorder, best=5, latest=10)
    study.ask(SPACE)  # trials are sampled when they are first asked for a value
    values = [trial.values[0] for trial in study.trials if trial.values]
    best = sorted(range(50), key=lambda number: -values[number])[:5]
    assert set(recorder.seen) == {*best, *range(50, 60)}


def test_a_long_study_of_several_objectives_shows_its_front() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for number in range(60):
        score = (number * 0.618034) % 1.0
        cost = 0.001 if number in (3, 11) else 1.0
        params = {"x": score, "n": number % 10, "c": "ab"[number % 2]}
        study.add_trial(create_trial(params=params, distributions=SPACE, values=[score, cost]))
    recorder = Recorder(seed=0)
    study.sampler = FilteredSampler(recorder, best=5, latest=10)
    study.ask(SPACE)
    by_score = sorted(range(50), key=lambda number: -study.trials[number].values[0])
    front = {t.number for t in study.best_trials}
    earlier = {n for n in front if n < 50}
    assert 0 < len(earlier) < 5 and not earlier <= set(by_score[:5]), "a cheap trial of a low score is on the front"
    assert earlier <= set(recorder.seen)
    rest = [n for n in by_score if n not in earlier][: 5 - len(earlier)]
    assert set(recorder.seen) == {*earlier, *rest, *range(50, 60)}


@pytest.mark.parametrize("kind", ["tpe", "gp", "nsga2", "random", "qmc"])
def test_several_objectives_repeat_and_need_no_reports(kind: str, small_study: Study) -> None:
    def ask(count: int) -> list[dict[str, object]]:
        optuna_study = optuna.create_study(directions=["maximize", "minimize"])
        sampler = dataclasses.replace(small_study.sampler, type=kind, startup=4)
        for number in range(count):
            optuna_study.sampler = make_sampler(sampler, 7, number, small_study.dimensions)
            trial = optuna_study.ask()
            values = suggest_values(trial, small_study)
            if number % 3 == 2:
                optuna_study.tell(trial, state=TrialState.PRUNED)
            else:
                optuna_study.tell(trial, [score(values), float(len(values))])
        return [trial.params for trial in optuna_study.trials]

    assert ask(10) == ask(10)


def test_children_do_not_depend_on_whether_their_parents_were_chosen_or_read_back() -> None:
    def asked(seed: int, parents: dict[str, list[int]]) -> tuple[dict[str, object], dict[str, list[int]]]:
        study = optuna.create_study(directions=["maximize", "minimize"])
        for n in range(6):
            params = {"x": 0.9 - 0.1 * n, "n": n, "c": "ab"[n % 2]}
            attributes = {"Generations:generation": 0}
            values = [float((n * 5) % 6), float(-n)]
            study.add_trial(create_trial(params=params, distributions=SPACE, values=values, system_attrs=attributes))
        for key, value in parents.items():
            study._storage.set_study_system_attr(study._study_id, key, value)
        study.sampler = make_sampler(Sampler(type="nsga2", startup=6), seed, 6)
        params = study.ask(SPACE).params
        return params, dict(study._storage.get_study_system_attrs(study._study_id))

    for seed in range(10):
        fresh, chosen = asked(seed, {})
        assert list(chosen) == ["Generations:parent:1"] and len(chosen["Generations:parent:1"]) == 6
        assert asked(seed, chosen)[0] == fresh


def test_known_good_trials_are_parents_too() -> None:
    study = optuna.create_study(directions=["maximize", "minimize"])
    for n in range(7):
        params = {"x": 0.1 * n, "n": n, "c": "ab"[n % 2]}
        attributes = {"Generations:generation": 0} if n else {}  # trial 0 was given, and is the best of all
        values = [9.0, -9.0] if n == 0 else [float(n), float(n)]
        study.add_trial(create_trial(params=params, distributions=SPACE, values=values, system_attrs=attributes))
    study.sampler = make_sampler(Sampler(type="nsga2", startup=6), 0, 7)
    study.ask(SPACE)
    chosen = study._storage.get_study_system_attrs(study._study_id)["Generations:parent:1"]
    assert study.trials[0]._trial_id in chosen and len(chosen) == 6


def test_a_short_study_is_shown_whole() -> None:
    study = long_study(15)
    recorder = Recorder(seed=0)
    study.sampler = FilteredSampler(recorder, best=5, latest=10)
    study.ask(SPACE)
    assert recorder.seen == tuple(range(15))


def test_tpe_reads_the_filtered_history() -> None:
    """The library still reads trials the way the filter expects: without the good trials, TPE asks elsewhere."""

    def asked(best: int, latest: int) -> dict[str, object]:
        study = long_study(60)
        tpe = optuna.samplers.TPESampler(seed=1, n_startup_trials=3)
        study.sampler = FilteredSampler(tpe, best=best, latest=latest)
        return study.ask(SPACE).params

    assert asked(30, 30) == asked(500, 1500)  # nothing is left out of 60
    assert asked(2, 20) != asked(500, 1500)
