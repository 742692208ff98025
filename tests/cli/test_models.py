"""The command `models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from spectrosim_search.config import registry
from spectrosim_search.learning.components import FAMILIES
from spectrosim_search.learning.published_costs import PUBLISHED
from tests.cli.conftest import Cli

QUICK = ("--seconds", "0", "--batch", "4")
PAGE = Path(__file__).parents[2] / "docs" / "models.md"


def test_two_encoders_as_json(cli: Cli) -> None:
    done = cli("models", "transformer", "peak-graph", "--channels", "200", *QUICK, "--json", "--papers")
    assert done.code == 0, done.err
    one, two = json.loads(done.out)
    assert (one["encoder"], two["encoder"]) == ("transformer", "peak-graph")
    assert one["published"]["parameters"] == PUBLISHED["transformer"].parameters
    assert two["published"] is None
    for row in (one, two):
        assert row["parameters"] > 1000
        assert row["training_ms"] > row["inference_ms"] > 0


def test_a_table_gives_the_channels_and_settings_are_taken(cli: Cli, small_table: Path) -> None:
    options = ("--data", small_table, "--set", "encoder.patch=160", "--set", "encoder.position=learned", *QUICK)
    by_data, by_hand = (
        json.loads(cli("models", "transformer", "--json", *given).out)
        for given in (options, ("--channels", "160", *options[2:]))
    )
    other = json.loads(cli("models", "transformer", "--json", "--channels", "161", *options[2:]).out)
    assert by_data[0]["parameters"] == by_hand[0]["parameters"] < other[0]["parameters"]


def test_the_table_for_people(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    done = cli("models", "transformer", "--channels", "100", "--head", "identity", *QUICK, "--markdown", "--papers")
    assert done.code == 0, done.err
    head, rule, row, _, text = done.out.strip().splitlines()
    assert head.count("|") == rule.count("|") == row.count("|") == 12
    assert row.startswith("| transformer | ")
    assert "105,491,872" in row
    assert text.startswith("Encoder with head identity and objective nt-xent, 100 channels; a step trains on 4 spectra")
    plain = cli("models", "transformer", "--channels", "100", *QUICK)
    assert plain.code == 0, plain.err
    assert "training" in plain.out
    assert "105,491,872" not in plain.out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("transfomer",), "unknown encoder 'transfomer' (did you mean 'transformer'?)"),
        (("transformer", "--head", "linaer"), "unknown head 'linaer' (did you mean 'linear'?)"),
        (("transformer", "--objective", "nt-xnet"), "unknown objective 'nt-xnet' (did you mean 'nt-xent'?)"),
        (("transformer", "--set", "encoder.widht=32"), "unknown setting 'widht' (did you mean 'width'?)"),
        (
            ("transformer", "--set", "encoder.type=cnn"),
            "encoders are named as arguments: leave --set encoder.type away",
        ),
        (("transformer", "--device", "abacus", *QUICK), "unknown device 'abacus'"),
        (
            ("transformer", "--device", "mps", *QUICK),
            "device 'mps' is none that is computed on: use cpu, cuda or cuda:N",
        ),
    ],
)
def test_wrong_input_is_one_line(cli: Cli, arguments: tuple[str, ...], says: str) -> None:
    done = cli("models", *arguments)
    assert done.code == 2
    assert len(done.err.strip().splitlines()) == 1, done.err
    assert says in done.err
    assert done.out == ""


@pytest.mark.parametrize("family", FAMILIES)
def test_the_page_has_every_member(family: str) -> None:
    page = PAGE.read_text(encoding="utf-8")
    section = page.split(f"\n## {family.capitalize()}\n", 1)[1].split("\n## ", 1)[0]
    missing = [name for name in registry.names("learning." + family) if f"| `{name}` |" not in section]
    assert not missing, f"docs/models.md does not describe {missing}"
