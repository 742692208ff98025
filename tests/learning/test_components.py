from __future__ import annotations

import dataclasses

import pytest

from spectrosim_search.config.configuration import Component
from spectrosim_search.config.errors import ConfigurationError
from spectrosim_search.learning.components import resolve, settings_of, stack_key, varying
from spectrosim_search.learning.engine import parameter_count
from tests.learning.problems import configuration


def test_defaults_are_filled_in_and_kinds_are_kept():
    component = resolve("encoder", {"type": "transformer", "width": 128, "dropout": 0})
    assert component["width"] == 128
    assert component["patch"] == 32
    assert isinstance(component["dropout"], float)
    assert resolve("encoders", component) == component
    assert settings_of("encoders", Component.of("transformer")).depth == 2


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"type": "transfromer"}, ["transfromer", "did you mean 'transformer'"]),
        ({"type": "transformer", "wdith": 64}, ["unknown setting 'wdith'", "did you mean 'width'"]),
        ({"type": "transformer", "heads": 2.5}, ["heads", "whole number"]),
        ({"type": "transformer", "heads": True}, ["heads", "expected a number"]),
        ({"type": "transformer", "dropout": 1.5, "pool": "man"}, ["above its limit 0.9", "did you mean 'mean'"]),
        ({"type": "transformer", "dropout": float("nan")}, ["dropout"]),
        ({"type": "transformer", "width": 30, "heads": 4}, ["width 30 is not a multiple of heads 4"]),
        ({"width": 3}, ["'type' is missing", "transformer"]),
    ],
)
def test_wrong_input_is_named(given, words):
    with pytest.raises(ConfigurationError) as error:
        resolve("encoders", given)
    assert "\n" not in str(error.value)
    for word in words:
        assert word in str(error.value)


def test_all_problems_at_once():
    with pytest.raises(ConfigurationError) as error:
        resolve("objectives", {"type": "nt-xent", "temperature": 0, "smoothing": 1, "label_smoothing": "x"})
    assert len(error.value.problems) == 3


def test_stack_key_tells_shapes_apart_and_nothing_else():
    base = configuration()
    key = stack_key(base, 70)
    alike = configuration(
        encoder={"dropout": 0.3},
        objective={"temperature": 0.5},
        optimiser={"learning_rate": 0.1},
        augmentations={"jitter": {"strength": 0.4, "probability": 0.1}, "scale": {}},
        training={"patience": 3},
    )
    assert stack_key(alike, 70) == key
    others = [
        configuration(encoder={"width": 32}),
        configuration(head={"type": "linear"}),
        configuration(augmentations={"jitter": {}}),
        configuration(positives={"source": "views"}),
        configuration(training={"batch_size": 16}),
        configuration(training={"epochs": 4}),
    ]
    keys = {stack_key(c, 70) for c in others} | {key, stack_key(base, 71)}
    assert len(keys) == len(others) + 2


def test_varying_settings_are_those_without_shapes():
    assert set(varying(settings_of("encoders", Component.of("transformer")))) == {"dropout"}
    assert set(varying(settings_of("objectives", Component.of("nt-xent")))) == {"temperature", "label_smoothing"}


def test_parameter_counts():
    width, tokens = 16, 5
    block = 4 * width + width * 3 * width + 3 * width + width * width + width + 4 * width * width + 3 * width
    encoder = 16 * width + width + 33 * 2 * width + block + 2 * width + width * 16 + 16
    head = 16 * 16 + 16 + 16 * 16 + 16
    assert parameter_count(configuration(), tokens * 16) == encoder + head
    paper = dataclasses.replace(configuration(), encoder=resolve("encoders", {"type": "one-token-transformer"}))
    assert 100e6 < parameter_count(paper, 2080) < 108e6
