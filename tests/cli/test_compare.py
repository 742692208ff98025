"""Several studies on one page: which are found, and what is said of those that are not."""

from __future__ import annotations

from pathlib import Path

import pytest

from spectrosim_search.spectra.simulators import simulate
from spectrosim_search.spectra.writers import write
from tests.cli.conftest import Cli


@pytest.fixture
def databases(cli: Cli, tmp_path: Path) -> tuple[str, str]:
    """Three studies of fixed methods (six groups are too few to search) in two databases."""
    for seed, (name, base) in enumerate((("one", "a.db"), ("two", "a.db"), ("three", "b.db"))):
        table = tmp_path / f"{name}.csv"
        write(simulate("reims", seed=seed, batches=6, channels=40), table)
        done = cli("run", "--study", "quick", "--data", table, "--name", name, "--storage", base, "--workers", "0")
        assert done.code == 0, done.err
    return "a.db", "b.db"


def test_studies_of_several_databases_on_one_page(cli: Cli, databases: tuple[str, str]) -> None:
    both = [part for base in databases for part in ("--storage", base)]
    done = cli("compare", "one", "two", "three", *both, "-o", "compare.html")
    assert done.code == 0, done.err
    assert done.out.strip() == "compare.html"
    text = Path("compare.html").read_text(encoding="utf-8")
    assert "3 data sets, 5 methods" in text and "Ranks over data sets" in text
    every = cli("compare", *both, "-o", "every.html")
    assert every.code == 0, every.err
    assert Path("every.html").read_text(encoding="utf-8") == text, "without names: every confirmed study"
    printed = cli("compare", *both, "--markdown", "-o", "again.html")
    assert printed.code == 0 and printed.out.count("\n| ") == 5 + 3, "five methods, head, rule and verdicts"
    assert "again.html" in printed.err and Path("again.html").read_text(encoding="utf-8") == text
    shown = cli("compare", "one", "three", *both)
    assert shown.code == 0 and shown.out.count("Not searched") == 2


def test_unknown_studies_are_named(cli: Cli, databases: tuple[str, str]) -> None:
    done = cli("compare", "one", "thre", "--storage", databases[0], "--storage", databases[1], "-o", "c.html")
    assert done.code == 2
    assert "no study 'thre'" in done.err and "did you mean 'three'" in done.err
    alone = cli("compare", "one", "--storage", "a.db", "-o", "c.html")
    assert alone.code == 2 and "name two or more" in alone.err
