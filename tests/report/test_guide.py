"""The guide to the report keeps up with the figures."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from spectrosim_search.config.study import Task
from spectrosim_search.report.guide import guide
from spectrosim_search.report.members import SECTIONS, members

PAGE = Path(__file__).parents[2] / "docs" / "report.md"


def test_the_page_is_current() -> None:
    written = PAGE.read_text(encoding="utf-8")
    assert written == guide(), "write it anew: python -m spectrosim_search.report.guide > docs/report.md"


def test_every_figure_is_explained_in_the_order_of_the_page() -> None:
    text = guide()
    places = [text.index(f"### {m.title}\n\n{m.caption}\n") for section in SECTIONS for m in members(section)]
    own = {m.name: m for task in get_args(Task) for m in members(task=task) if not m.serves("same-batch")}
    places += [
        text.index(f"### {m.title}\n\n{m.caption}\n") for m in sorted(own.values(), key=lambda m: m.module.ORDER)
    ]
    assert places == sorted(places)
    assert len(places) == text.count("\n### ")
