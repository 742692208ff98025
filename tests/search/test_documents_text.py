import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from spectrosim_search.config.errors import ConfigurationError, InputError
from spectrosim_search.search.documents.text import parse_scalar, parse_yaml, scalar_text


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("1E5", 1e5),
        ("-2e+3", -2e3),
        (".5", 0.5),
        ("1.", 1.0),
        ("3", 3),
        ("010", 10),
        ("on", "on"),
        ("no", "no"),
        ("true", True),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("'3'", "3"),
        ("1_000", "1_000"),
        ("null", None),
        ("[1, 2e-1, mlp]", [1, 0.2, "mlp"]),
    ],
)
def test_scalars_read_as_a_scientist_means_them(text: str, value: object) -> None:
    read = parse_scalar(text, "test")
    assert read == value and type(read) is type(value)


@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=12)))
def test_scalar_text_round_trips_exactly(value: bool | int | float | str) -> None:
    read = parse_scalar(scalar_text(value), "test")
    assert read == value and type(read) is type(value)
    if isinstance(value, float):
        assert math.copysign(1, read) == math.copysign(1, value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_numbers_to_readers_of_yaml_1_1_too(value: float) -> None:
    assert yaml.safe_load(scalar_text(value)) == value


def test_no_document_holds_a_number_that_is_not_finite() -> None:
    with pytest.raises(InputError, match="finite"):
        scalar_text(float("nan"))


def test_every_repeated_key_is_named_with_its_lines() -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_yaml("a: 1\nb: {c: 1, c: 2}\na: 2\n", "x.yaml")
    assert caught.value.problems == (
        "x.yaml, line 2: 'b.c' stands twice (first in line 2)",
        "x.yaml, line 3: 'a' stands twice (first in line 1)",
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: [1", "line 1"),
        ("a: 1\n b: 2", "line 2"),
        ("a: !!python/object/apply:os.system [ls]", "tag"),
        ("a: &x 1\nb: *x", "aliases"),
        ("a: \x00", "not valid YAML"),
        ("a: 1\n---\nb: 2", "document"),
    ],
)
def test_broken_yaml_is_one_line_that_says_where(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_yaml(text, "x.yaml")
    message = str(caught.value)
    assert says in message and message.startswith("x.yaml") and "\n" not in message


def test_places_name_file_line_and_path() -> None:
    document = parse_yaml("a:\n  b:\n    - 1\n    - 2\n", "x.yaml")
    assert document.place(("a", "b", 1)) == "x.yaml, line 4, a.b.1"
    assert document.place(("a", "new")) == "x.yaml, line 1, a.new"
