"""The figures of the report as a checked family, in the order in which they are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any, Literal, get_args

from spectrosim_search.config import registry
from spectrosim_search.config.study import Task
from spectrosim_search.report.marks import leak_notice
from spectrosim_search.search.records import StudyRecord

__all__ = ["SECTIONS", "Member", "members"]

Section = Literal["result", "search", "process"]

SECTIONS: dict[Section, str] = {
    "result": "Result",
    "search": "Search",
    "process": "Process",
}


@dataclass(frozen=True)
class Member:
    """One figure: `module` has TITLE, ORDER, SECTION, CAPTION, `build`, `missing` and perhaps TASKS."""

    name: str
    module: ModuleType

    @property
    def title(self) -> str:
        """Heading of the figure."""
        return str(self.module.TITLE)

    @property
    def caption(self) -> str:
        """One or two plain sentences that say how to read the figure."""
        return str(self.module.CAPTION)

    @property
    def section(self) -> Section:
        """Part of the page where the figure stands."""
        section: Section = self.module.SECTION
        return section

    def serves(self, task: Task) -> bool:
        """Whether studies of a task have this figure: a module's TASKS, every task where it has none."""
        return task in getattr(self.module, "TASKS", get_args(Task))

    def build(self, record: StudyRecord) -> Any:
        """Return a Plotly figure, or None where the record does not hold what it shows."""
        return self.module.build(record)

    def standalone(self, record: StudyRecord) -> Any:
        """Return the figure as it can stand outside the page: titled, on white; search scores and leaks marked.

        None as from `build`.
        """
        built = self.build(record)
        if built is None:
            return None
        marks = ["search scores"] * (self.section == "search") + ["leaking protocol"] * bool(leak_notice(record))
        title = self.title + (f" ({', '.join(marks)})" if marks else "")
        built.update_layout(title={"text": title, "x": 0.01, "font": {"size": 16}}, margin_t=110)
        built.update_layout(paper_bgcolor="white", plot_bgcolor="white")
        return built

    def missing(self, record: StudyRecord) -> str:
        """Return in one line why `build` gave None."""
        return str(self.module.missing(record))


def members(section: Section | None = None, task: Task = "same-batch") -> Iterator[Member]:
    """All figures of a task, or those of one section, by their ORDER."""
    found = [Member(n, registry.load("report.figures", n)) for n in registry.names("report.figures")]
    kept = [m for m in found if section in (None, m.section) and m.serves(task)]
    yield from sorted(kept, key=lambda m: (m.module.ORDER, m.name))
