"""Documentation names what exists."""

from __future__ import annotations

import re
from pathlib import Path

from spectrosim_search.search.documents import list_studies, load_study

DOCS = Path(__file__).parents[1] / "docs"


def test_the_page_of_studies_has_every_study_and_its_time() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|.*\| ([^|]+) \|$", (DOCS / "studies.md").read_text(), flags=re.M)
    minutes = {name: time for names, time in rows for name in re.findall(r"`([^`]+)`", names)}
    assert set(minutes) == {name for name, _ in list_studies()}
    for name, told in minutes.items():
        budget = load_study(name).budget.minutes
        assert not budget or told.startswith(f"{budget:g} min"), name


def test_every_page_can_be_found_and_names_modules_that_exist() -> None:
    front = (DOCS.parent / "README.md").read_text() + (DOCS.parent / "CONTRIBUTING.md").read_text()
    for page in DOCS.glob("*.md"):
        assert f"docs/{page.name}" in front, page.name
    for module in re.findall(r"python -m (benchmarks\.\w+)", (DOCS / "statistics.md").read_text()):
        assert (DOCS.parent / (module.replace(".", "/") + ".py")).exists(), module


def test_rows_of_tables_have_as_many_cells_as_their_heads() -> None:
    for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md"):
        text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
        for table in re.findall(r"(?:^\|.*\|\n)+", text, flags=re.M):
            head, *rows = (len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines())
            assert set(rows) == {head}, (page.name, table.splitlines()[0])


def test_counts_in_the_pages_are_those_of_the_program() -> None:
    from spectrosim_search.config import registry

    everything = load_study("everything")
    text = (DOCS / "studies.md").read_text()
    assert f"{len(everything.known_good) + everything.screening.trials} linear metrics" in text
    assert f"{len(everything.climb) * everything.screening.starts} ways on" in text
    assert f"all {len(everything.dimensions)} settings" in text
    readme = (DOCS.parent / "README.md").read_text()
    for family, word in (("encoders", "encoders"), ("objectives", "objectives"), ("augmentations", "augmentations")):
        assert f"{len(registry.names('learning.' + family))} {word}" in readme


def test_the_page_of_baselines_has_every_baseline_and_says_which_draw() -> None:
    from spectrosim_search.config import registry

    draws: dict[str, bool] = {}
    for names, last in re.findall(r"^\| (`[^|]+) \|.*\| ([^|]+) \|$", (DOCS / "baselines.md").read_text(), flags=re.M):
        draws |= dict.fromkeys(re.findall(r"`([^`]+)`", names), last != "-")
    members = registry.names("baselines")
    assert draws == {name: getattr(registry.load("baselines", name), "SEEDED", False) for name in members}
