"""Screening: what its trials share, what goes on from the best of them, what the sampler is shown afterwards."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.study import Study
from spectrosim_search.search import progress
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.records import StudyRecord
from spectrosim_search.search.run import prepare_study, run_study
from spectrosim_search.search.samplers import FilteredSampler
from spectrosim_search.search.screening import Screening
from tests.search.searching import numbers, run_small

KNOWN, SCREENED, STARTS = 1, 8, 2
DOCUMENT = f"""
name: screened
vary:
  preprocessing.intensity: [sqrt, snv]
  preprocessing.derivative: [0, 1]
  preprocessing.window:
    choices: [5, 7]
    when: {{preprocessing.derivative: 1}}
  encoder.shrinkage: {{low: 0.01, high: 0.5, log: true}}
  encoder.branch: [none, mlp]
  encoder.hidden: {{choices: [4, 8], when: {{encoder.branch: mlp}}}}
  training.epochs: [0, 2]
  objective.temperature: 0.1..1.0
base:
  encoder: {{type: whitened, components: 6, shrinkage: 0.1}}
  head: {{type: identity}}
  positives: {{source: groups}}
  training: {{epochs: 0, batch_size: 8}}
known_good:
  - {{preprocessing.intensity: sqrt}}
screening: {{trials: {SCREENED}, vary: [preprocessing, encoder.shrinkage], starts: {STARTS}}}
climb:
  - {{training.epochs: 2}}
  - {{training.epochs: 2, encoder.branch: mlp, encoder.hidden: 8}}
protocol: {{seeds: 1}}
ladder: {{rungs: [3], minimum: 30}}
budget: {{trials: 18}}
"""
FREE = KNOWN + SCREENED + 2 * STARTS  # first slot the sampler has to itself


class Stop(Exception):
    """Stands for a driver that dies."""


def study(tmp_path: Path, text: str = DOCUMENT) -> Study:
    path = tmp_path / "screened.yaml"
    path.write_text(text)
    return load_study(path)


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, StudyRecord]:
    folder = tmp_path_factory.mktemp("screened")
    one = study(folder)
    return one, run_small(folder / "a.db", one)[1]


def test_screened_trials_vary_what_is_screened_alone(searched: tuple[Study, StudyRecord]) -> None:
    record = searched[1]
    screened = record.trials[KNOWN : KNOWN + SCREENED]
    for trial in screened:
        values = dict(trial.parameters)
        assert values["training.epochs"] == 0
        assert values["encoder.branch"] == "none"
        assert "encoder.hidden" not in values
        assert ("preprocessing.window" in values) == (values["preprocessing.derivative"] == 1)
    assert len({dict(t.parameters)["encoder.shrinkage"] for t in screened}) == SCREENED
    assert len({dict(t.parameters)["objective.temperature"] for t in screened}) == 1


def test_the_best_of_different_kinds_go_on_in_every_way(searched: tuple[Study, StudyRecord]) -> None:
    record = searched[1]

    def kind(values: dict[str, object]) -> tuple[object, ...]:
        return tuple(values.get(f"preprocessing.{k}") for k in ("intensity", "derivative", "window"))

    best: dict[tuple[object, ...], float] = {}
    for trial in record.trials[: KNOWN + SCREENED]:
        score = max(trial.intermediate.items())[1]
        best[kind(dict(trial.parameters))] = max(score, best.get(kind(dict(trial.parameters)), 0.0))
    order = sorted(best, key=lambda k: -best[k])
    climbing = [dict(t.parameters) for t in record.trials[KNOWN + SCREENED : FREE]]
    assert [v["training.epochs"] for v in climbing] == [2] * 4
    assert [v["encoder.branch"] for v in climbing] == ["none", "mlp"] * STARTS
    assert climbing[1]["encoder.hidden"] == 8
    # what goes on is asked for while the last screened trial may still be running
    assert {kind(v) for v in climbing} <= set(order[: STARTS + 1])
    assert len({kind(v) for v in climbing}) == STARTS
    screened = {dict(t.parameters)["encoder.shrinkage"] for t in record.trials[: KNOWN + SCREENED]}
    assert {v["encoder.shrinkage"] for v in climbing} <= screened


def test_the_sampler_does_not_see_what_was_screened(
    searched: tuple[Study, StudyRecord], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = searched[0]
    shown: dict[int, list[int]] = {}
    view = FilteredSampler._shown

    def spy(self: FilteredSampler, of: optuna.Study, trial: optuna.trial.FrozenTrial) -> optuna.Study:
        found = view(self, of, trial)
        finished = found._get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        shown[trial.number] = [t.number for t in finished]
        return found

    monkeypatch.setattr(FilteredSampler, "_shown", spy)
    _, record = run_small(tmp_path / "b.db", one)
    assert numbers(record) == numbers(searched[1])
    free = {number: seen for number, seen in shown.items() if number >= FREE}
    assert free
    for seen in free.values():
        assert seen
        assert min(seen) >= KNOWN + SCREENED
    assert shown[KNOWN + SCREENED - 1], "while screening, the sampler learns from what was screened"


def test_interrupted_anywhere_it_goes_on_the_same(searched: tuple[Study, StudyRecord], tmp_path: Path) -> None:
    """The driver dies at every seventh result and is started again each time."""
    seen = deaths = 0

    def die(happened: progress.Event) -> None:
        nonlocal seen
        seen += isinstance(happened, progress.ReplicateDone)
        if isinstance(happened, progress.ReplicateDone) and seen % 7 == 0:
            raise Stop

    for _ in range(40):
        try:
            record = run_small(tmp_path / "c.db", searched[0], listener=die)[1]
            break
        except Stop:
            deaths += 1
    assert deaths >= 4
    assert numbers(record) == numbers(searched[1])


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("vary: [preprocessing,", "vary: [preprocesing,", "begins with, 'preprocesing'"),
        ("vary: [preprocessing, encoder.shrinkage]", "vary: []", "names nothing"),
        (f"trials: {SCREENED}", "trials: 0", "nothing is screened"),
        ("{training.epochs: 2}\n  - {", "{training.epochs: 3}\n  - {", "climb"),
    ],
)
def test_mistakes_are_told(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert old in DOCUMENT
    with pytest.raises(ConfigurationError, match=words):
        study(tmp_path, DOCUMENT.replace(old, new))


def test_bundled_studies_can_climb_from_any_start() -> None:
    one = load_study("everything")
    rules = Screening(one)
    assert rules.fixed(len(one.known_good))["training.epochs"] == 0
    for way in one.climb:
        assert dict(way)["training.epochs"] != 0


@pytest.mark.parametrize(
    ("given", "vary", "ways"),
    [
        ("encoder.shrinkage=0.2", ("preprocessing",), 2),  # fixed: it is not screened
        ("preprocessing.intensity=snv", ("preprocessing", "encoder.shrinkage"), 2),  # a part of a beginning is left
        ("encoder.type=cnn", (), 0),  # what is screened is gone
        ("screening.trials=0", (), 0),
    ],
)
def test_options_leave_of_the_screening_what_still_has_a_meaning(
    given: str, vary: tuple[str, ...], ways: int, tmp_path: Path
) -> None:
    path = tmp_path / "screened.yaml"
    path.write_text(
        DOCUMENT.replace(
            "encoder.branch: [none, mlp]\n", "encoder.branch: [none, mlp]\n  head.type: [identity, linear]\n"
        )
    )
    asked = load_study(path, set_=[given])
    assert asked.screening.vary == vary and len(asked.climb) == ways
    assert asked.screening.trials == (SCREENED if vary else 0)


def test_what_options_say_of_the_screening_is_taken_by_its_word(tmp_path: Path) -> None:
    path = tmp_path / "screened.yaml"
    path.write_text(DOCUMENT)
    with pytest.raises(ConfigurationError, match="nothing that varies is, or begins with, 'nonsense'"):
        load_study(path, set_=["screening.vary=[nonsense]"])
    with pytest.raises(ConfigurationError, match=r"screening\.vary: names nothing"):
        load_study("quick", set_=["screening.trials=5"])


def test_a_study_that_names_a_class_screens_and_goes_on_from_the_best(tmp_path: Path) -> None:
    path = tmp_path / "named.yaml"
    path.write_text(
        """
task: pretrain
data: {simulator: nir, simulator_parameters: {batches: 12, batch_size: 4, channels: 60}}
protocol: {folds: 2, seeds: 1}
baselines: [majority]
vary:
  program.branch: [alone, discriminant]
  program.branch_axes: 2..10
  preprocessing.intensity: [none, snv]
base:
  encoder: {type: block-cnn, width: 4}
  training: {epochs: 1}
  program: {branch: alone, pretext: none, epochs: 2}
known_good: [{program.branch_axes: 3}]
screening: {trials: 3, vary: [preprocessing, program.branch_axes], starts: 1}
climb: [{program.branch: discriminant}]
ladder: {rungs: [2], curves: false}
budget: {trials: 5}
"""
    )
    prepared = prepare_study(path)
    done = run_study(prepared, storage=f"sqlite:///{tmp_path / 'a.db'}", workers=0, confirm=False)
    values = [dict(t.parameters) for t in done.trials]
    assert [v["program.branch"] for v in values] == ["alone"] * 4 + ["discriminant"]
    # whichever led when it was asked for: the next trial is asked for while others still train
    assert values[4] in [{**v, "program.branch": "discriminant"} for v in values[:4]]
