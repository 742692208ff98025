import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FixedTrial

from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.config.study import Dimension
from spectrosim_search.search.documents import load_study
from spectrosim_search.search.documents.dimensions import domain_problem
from spectrosim_search.search.documents.layers import active
from spectrosim_search.search.space import (
    build_configuration,
    distribution,
    distributions,
    paths,
    suggest,
    suggest_values,
)


def test_suggest_asks_for_what_applies_and_nothing_else() -> None:
    study = load_study("transformer")
    optuna_study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    heads = set()
    for _ in range(40):
        trial = optuna_study.ask()
        configuration = suggest(trial, study)
        values = trial.params
        heads.add(values["head.type"])
        assert ("head.width" in values) == (values["head.type"] == "mlp")
        assert ("positives.group_weight" in values) == (values["positives.source"] == "both")
        switched = {
            n for n in ("jitter", "shift", "scale", "crop-pad", "flip", "permutation") if values[f"augmentations.{n}"]
        }
        assert {a.type for a in configuration.augmentations} == switched
        for dim in study.dimensions:
            assert (dim.path in values) == active(dim, values)
            if dim.path in values:
                assert not domain_problem(dim, values[dim.path])
                assert paths(configuration).get(dim.path, False) == values[dim.path]
    assert heads == {"identity", "linear", "mlp", "residual-bottleneck", "spectral"}


def test_a_trial_taken_over_gives_its_configuration_again() -> None:
    study = load_study("transformer")
    storage = optuna.storages.InMemoryStorage()
    optuna_study = optuna.create_study(storage=storage, sampler=optuna.samplers.RandomSampler(seed=1))
    first = suggest(optuna_study.ask(), study)
    asked = optuna_study.get_trials()[0]
    optuna_study.sampler = optuna.samplers.RandomSampler(seed=99)
    again = suggest(optuna.trial.Trial(optuna_study, asked._trial_id), study)
    assert again == first and again.identity == first.identity
    assert build_configuration(study, asked.params) == first


def test_enqueued_configurations_come_out_whole(recwarn: pytest.WarningsRecorder) -> None:
    for name in ("transformer", "quick"):
        study = load_study(name)
        optuna_study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=5))
        for entry in [dict(entry) for entry in study.known_good]:
            optuna_study.enqueue_trial(entry)
        for entry in [dict(entry) for entry in study.known_good]:
            trial = optuna_study.ask()
            assert suggest(trial, study) == build_configuration(study, entry)
            assert trial.params == entry
    assert not list(recwarn)


def test_the_base_is_overlaid_and_defaults_filled_in() -> None:
    study = load_study("quick")
    configuration = build_configuration(study, {"objective.temperature": 0.25, "positives.source": "views"})
    assert configuration.objective["temperature"] == 0.25 and configuration.positives.source == "views"
    assert configuration.encoder["width"] == 32  # base
    assert configuration.encoder["expansion"] == 2.0  # default of the encoder
    assert [a.type for a in configuration.augmentations] == ["jitter"]


def test_settings_of_a_member_not_chosen_change_nothing() -> None:
    study = load_study("transformer")
    plain = {"head.type": "linear", "augmentations.flip": False}
    more = {**plain, "head.width": 256, "augmentations.flip.probability": 0.3}
    assert build_configuration(study, more).identity == build_configuration(study, plain).identity


def test_unknown_and_contradicting_values_are_refused() -> None:
    study = load_study("transformer")
    with pytest.raises(ConfigurationError, match=r"encoder\.wdith: unknown key \(did you mean 'encoder\.width'\?\)"):
        build_configuration(study, {"encoder.wdith": 3})
    with pytest.raises(ConfigurationError, match="multiple"):
        build_configuration(study, {"encoder.width": 30})


def test_distributions_are_those_that_suggest_asks_for() -> None:
    study = load_study("transformer", vary=["batch_size=8..64:step=8", "encoder.dropout=0..0.5:step=0.25"])
    optuna_study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=2))
    expected = distributions(study)
    for _ in range(20):
        trial = optuna_study.ask()
        suggest_values(trial, study)
        assert trial.distributions == {path: expected[path] for path in trial.params}


def test_each_kind_of_distribution() -> None:
    assert distribution(Dimension("a", "int", low=2, high=8, step=2)) == IntDistribution(2, 8, step=2)
    assert distribution(Dimension("a", "int", low=2, high=8, log=True)) == IntDistribution(2, 8, log=True)
    assert distribution(Dimension("a", "float", low=0.1, high=1, log=True)) == FloatDistribution(0.1, 1, log=True)
    assert distribution(Dimension("a", "float", low=0, high=1, step=0.25)) == FloatDistribution(0, 1, step=0.25)
    assert distribution(Dimension("a", "categorical", choices=(True, False))) == CategoricalDistribution((True, False))


def test_no_value_reaches_a_condition_before_its_key_is_known() -> None:
    study = load_study("transformer")
    fixed = dict(study.known_good[0])
    assert suggest_values(FixedTrial(fixed), study) == fixed
