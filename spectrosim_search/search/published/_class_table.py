"""What a printed table of a task that names a class consists of; everything is checked when it is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.search.published._table import Figure, check_citation

__all__ = ["ClassRow", "ClassTable", "Contrast", "Kind", "Printed", "Variant"]

Kind = Literal["reference", "baseline", "configuration", "printed only"]
Values = tuple[tuple[str, Scalar], ...]


@dataclass(frozen=True)
class Printed:
    """One printed figure of a row. where: heading of its column, e.g. the paper's data set."""

    metric: str
    where: str
    figure: Figure


@dataclass(frozen=True)
class Variant:
    """What is laid over the table's study for some of its rows, and so for the reference rows beside them.

    values: (path, value) of the configuration, which baselines read too (share of labels, classifier). train_share: see
    :class:`~spectrosim_search.config.study.Protocol`.
    """

    name: str
    title: str
    values: Values = ()
    train_share: float = 1.0


@dataclass(frozen=True)
class ClassRow:
    """One row: its printed figures, and what stands for its method here.

    baseline: a member of the family of the task's reference rows. values: a configuration, the study's with its
    variant's and then these laid over it. elsewhere: why the row is not run here, and what measures it. One of them.
    """

    name: str
    title: str
    printed: tuple[Printed, ...] = ()
    baseline: str = ""
    values: Values = ()
    elsewhere: str = ""
    variant: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.baseline, self.values, self.elsewhere))) != 1:
            raise ValueError(f"row '{self.name}': a baseline, values or another place stands for it, one of them")
        places = [(p.metric, p.where) for p in self.printed]
        if len(set(places)) < len(places):
            raise ValueError(f"row '{self.name}': two figures stand in one place")

    @property
    def kind(self) -> Kind:
        """What stands for it."""
        return "baseline" if self.baseline else "configuration" if self.values else "printed only"

    def figure(self, metric: str, where: str) -> Figure | None:
        """What is printed there."""
        return next((p.figure for p in self.printed if (p.metric, p.where) == (metric, where)), None)


@dataclass(frozen=True)
class Contrast:
    """What a paper claims: `row` is ahead of `beside`, in the table's first metric."""

    title: str
    row: str
    beside: str


@dataclass(frozen=True)
class ClassTable:
    """A printed table and the way its paper split.

    source: paper and place. split: what the paper prints of its split. study, settings: the study whose configuration
    the rows start from, and what is fixed in it (as ``--set``). plain, disjoint: words for the paper's way of splitting
    and for folds that cut nothing; nothing: why both are the same on some data. metrics: those shown, a table each;
    `cut`: those of them that no fold protects (measured inside the training part). references: baselines shown beside
    every variant. made: how ours differ from the paper's. notes: what is odd about the printed figures.
    """

    title: str
    source: str
    split: str
    study: str
    settings: tuple[str, ...]
    plain: str
    disjoint: str
    nothing: str
    metrics: tuple[str, ...]
    references: tuple[str, ...]
    made: tuple[str, ...]
    rows: tuple[ClassRow, ...]
    variants: tuple[Variant, ...] = ()
    contrasts: tuple[Contrast, ...] = ()
    cut: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [row.name for row in self.rows]
        check_citation(self.title, names, self.source, self.split)
        variants = {v.name for v in self.variants}
        for row in self.rows:
            if row.variant and row.variant not in variants:
                raise ValueError(f"row '{row.name}': no variant '{row.variant}'")
            if unknown := {p.metric for p in row.printed} - set(self.metrics):
                raise ValueError(f"row '{row.name}': {', '.join(sorted(unknown))} is printed and not shown")
        if self.contrasts and self.metrics[0] not in ("accuracy", "macro_f1"):
            raise ValueError(f"{self.title}: contrasts are of the first metric, which has no intervals")
        for c in self.contrasts:
            if not {c.row, c.beside} <= set(names):
                raise ValueError(f"contrast '{c.title}' names no rows of this table")

    def variant(self, name: str) -> Variant:
        """One variant; the study as it is for the empty name."""
        return next((v for v in self.variants if v.name == name), Variant("", ""))
