import dataclasses
import json
import random

import pytest

from spectrosim_search.config.configuration import Configuration
from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.search.documents import (
    configuration_from_dict,
    configuration_from_mapping,
    configuration_from_yaml,
    configuration_to_yaml,
    load_preset,
    load_study,
)
from spectrosim_search.search.documents.checks import draw
from spectrosim_search.search.documents.configurations import configuration_from_paths
from spectrosim_search.search.space import build_configuration, paths


def random_configurations(count: int) -> list[Configuration]:
    study = load_study("transformer")
    generator = random.Random(3)
    return [build_configuration(study, draw(study.dimensions, generator)) for _ in range(count)]


def test_yaml_round_trip_is_exact() -> None:
    for configuration in (*random_configurations(25), load_preset("spectrosim-paper")):
        text = configuration_to_yaml(configuration, "made by a test\nsecond line")
        assert text.startswith("# made by a test\n# second line\n")
        read = configuration_from_yaml(text)
        assert read == configuration
        assert read.identity == configuration.identity


def test_paths_and_plain_forms_round_trip() -> None:
    for configuration in random_configurations(25):
        assert configuration_from_paths(paths(configuration)) == configuration
        assert configuration_from_mapping(configuration.to_dict()) == configuration
        assert configuration_from_dict(json.loads(json.dumps(configuration.to_dict()))) == configuration


def test_text_explains_its_keys() -> None:
    text = configuration_to_yaml(load_preset("spectrosim-chapter"))
    assert "  patch: 104  # neighbouring channels in a token [channels]\n" in text
    assert "  learning_rate: 1.0e-05  # peak of the one-cycle schedule\n" in text
    assert text.index("preprocessing:") < text.index("encoder:") < text.index("training:")


def test_what_is_left_out_has_its_default() -> None:
    empty = configuration_from_mapping({})
    assert empty.encoder.type == "transformer" and empty.training.epochs == 60 and empty.augmentations == ()
    assert configuration_from_yaml("training: {epochs: 60}\naugmentations: {}\n") == empty


def test_whole_numbers_and_floats_name_one_configuration() -> None:
    a = configuration_from_yaml("optimiser: {gradient_clip: 1}\nobjective: {temperature: 1}")
    b = configuration_from_yaml("optimiser: {gradient_clip: 1.0}\nobjective: {temperature: 1.0}")
    assert a.identity == b.identity and isinstance(a.optimiser.gradient_clip, float)


def test_all_problems_are_told_at_once_with_line_and_nearest_name() -> None:
    text = """
encoder: {type: transformr, width: 64}
head: {type: linear, width: 3, out: 1}
augmentations: {jittr: {probability: 2}, jitter: {probability: 2, foo: 1}, flip: true, shift: 3}
optimizer: {lr: 3}
training: {batch_size: "16", patience: 3.5, epoch: 3}
positives: views
"""
    with pytest.raises(ConfigurationError) as caught:
        configuration_from_yaml(text, "c.yaml")
    problems = "\n".join(caught.value.problems)
    for expected in (
        "c.yaml, line 2, encoder.type: 'transformr' is unknown (did you mean 'transformer'?)",
        "c.yaml, line 3, head.width: unknown key of head linear (known: out, type)",
        "c.yaml, line 3, head.out: 1 is below the smallest value 2",
        "c.yaml, line 4, augmentations.jittr: unknown augmentation (did you mean 'jitter'?)",
        "c.yaml, line 4, augmentations.jitter.probability: 2 is above the largest value 1",
        "c.yaml, line 4, augmentations.jitter.foo: unknown key",
        "c.yaml, line 4, augmentations.shift: is not a mapping",
        "c.yaml, line 5, optimizer: unknown section (did you mean 'optimiser'?)",
        "c.yaml, line 6, training.batch_size: '16' is not a number",
        "c.yaml, line 6, training.patience: 3.5 is not a whole number",
        "c.yaml, line 6, training.epoch: unknown key (did you mean 'epochs'?)",
        "c.yaml, line 7, positives: is not a mapping",
    ):
        assert expected in problems
    assert len(caught.value.problems) == 12


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("encoder: {width: 30, heads: 4}", "multiple"),
        ("preprocessing: {derivative: 1, window: 12}", "is even"),
        ("positives: {source: groups, spectra_per_group: 8}\ntraining: {batch_size: 4}", "do not fit"),
        ("program: {type: identify}\ntraining: {comparison: plda}", "training.comparison: plda, .* use cosine"),
        ("program: {type: identify}\ntraining: {comparison_neighbours: 3}", "comparison_neighbours: 3, .* use 0"),
        ("- 1", "is a mapping"),
        ("objective: {temperature: .nan}", "finite"),
        ("head: {type: 3}", "3 is not one of"),
    ],
)
def test_contradictions_and_odd_values(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        configuration_from_yaml(text)


def test_stored_form_with_unknown_keys_is_refused() -> None:
    plain = dict(load_preset("spectrosim-paper").to_dict())
    plain["training"] = {**plain["training"], "clock": 3}
    with pytest.raises(InputError, match="clock"):
        configuration_from_dict(plain)
    with pytest.raises(InputError, match="'head' is missing"):
        configuration_from_dict({k: v for k, v in load_preset("spectrosim-paper").to_dict().items() if k != "head"})


def test_every_field_of_a_configuration_has_a_meaning() -> None:
    from spectrosim_search.search.documents.catalogue import places

    for path, found in places().items():
        for place in found:
            assert place.description, path
            assert place.problem(place.default) == "", path
    assert {p.split(".")[0] for p in places()} == {f.name for f in dataclasses.fields(Configuration)}
