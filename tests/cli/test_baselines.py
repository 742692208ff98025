"""The command for methods that need no search."""

from __future__ import annotations

import json
from pathlib import Path

from spectrosim_search.config import registry
from tests.cli.conftest import SMALL, Cli


def test_the_list_has_every_member(cli: Cli) -> None:
    found = json.loads(cli("baselines", "--list", "--json").out)
    assert [row["name"] for row in found] == list(registry.names("baselines"))
    assert cli("baselines", "--list").out.count("\n") == len(found) + 1


def test_alone_then_beside_a_search(cli: Cli, small_table: Path) -> None:
    data = ("--data", small_table, "--study", "quick", "--name", "fish")
    small = SMALL[: SMALL.index("--seeds")]
    done = cli("baselines", *data, *small, "--only", "cosine,linear-metric", "--report", "fixed.html")
    assert done.code == 0, done.err
    assert "fixed methods alone were compared" in done.out
    lines = [line.split() for line in done.out.splitlines() if line[:2] in ("1 ", "2 ")]
    assert [line[0] for line in lines] == ["1", "2"]
    assert "linear metric" in Path("fixed.html").read_text()
    searched = cli("run", *data, *SMALL)
    assert searched.code == 0, searched.err
    more = cli("baselines", *data, *small, "--only", "training-centroid,oracle")
    assert more.code == 0, more.err
    assert "nearest training centroid" in more.out
    assert "oracle (simulated data only): n/a: the oracle needs simulated spectra" in more.out
    assert "Winner" in more.out
    again = cli("baselines", "--study", "fish", "--workers", "0", "--set", "seed=1")
    assert again.code == 2
    assert "its settings stand" in again.err
    listed = json.loads(cli("baselines", "--study", "fish", "--workers", "0", "--json").out)
    assert {"cosine", "nearest training centroid"} <= {row["method"] for row in listed["rows"]}
    assert listed["seconds"]["cosine"] > 0


def test_wrong_input_is_one_line(cli: Cli, small_table: Path) -> None:
    for options, says in (
        (("--only", "cosin"), "unknown baseline 'cosin' (did you mean 'cosine'?)"),
        (("--only", "cosine", "--all"), "give one of them"),
        (("--seeds", "0"), "at least one is needed"),
    ):
        done = cli("baselines", "--data", small_table, "--study", "quick", "--workers", "0", *options)
        assert done.code == 2
        assert says in done.err
        assert len(done.err.strip().splitlines()) == 1
    assert not list(Path.cwd().glob("*.db"))
