"""What a printed table consists of. Everything is checked when it is built, so that a slip of the pen is no figure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from spectrosim_search.config.configuration import Scalar

__all__ = ["PAPER", "Figure", "Row", "Table", "check_citation"]

PAPER = "SpectroSim"  # the first paper; the other is its chapter

Kind = Literal["classical", "binary network", "contrastive"]


@dataclass(frozen=True)
class Figure:
    """A printed share in percent, of pair tables the test balanced accuracy; NaN where nothing is printed.

    sd: over the paper's runs. train, train_sd: the same on training pairs. Raises ValueError outside 0 to 100.
    """

    mean: float
    sd: float = math.nan
    train: float = math.nan
    train_sd: float = math.nan

    def __post_init__(self) -> None:
        for name in ("mean", "sd", "train", "train_sd"):
            value = getattr(self, name)
            if not math.isnan(value) and not 0 <= value <= 100:
                raise ValueError(f"{name} is {value:g}: a percentage lies between 0 and 100")


@dataclass(frozen=True)
class Row:
    """One row: the figure, and what stands for its method here.

    baseline: a member of :mod:`spectrosim_search.baselines`, or empty for a configuration, which is that of the table's
    study with `values` (path, value) laid over it, or a `preset`. note: what a reader must know of the row.
    """

    name: str
    title: str
    figure: Figure
    baseline: str = ""
    values: tuple[tuple[str, Scalar], ...] = ()
    preset: str = ""
    note: str = ""

    def __post_init__(self) -> None:
        if sum(map(bool, (self.baseline, self.values, self.preset))) != 1:
            raise ValueError(f"row '{self.name}': a baseline, values or a preset stands for it, one of them")

    @property
    def kind(self) -> Kind:
        """What the method is."""
        if not self.baseline:
            return "contrastive"
        return "binary network" if self.baseline.startswith("binary-") else "classical"


@dataclass(frozen=True)
class Table:
    """A printed table and the way its paper split.

    source: paper and place. split: what the paper prints of its split. pair_split: share of the pairs in training, 0
    for folds. stopped_on_test: whether the paper chose epochs on test pairs. study, settings: the study whose
    configuration the rows start from, and what is fixed in it (as ``--set``). made: how ours differ from the paper's.
    notes: what is odd about the printed figures.
    """

    title: str
    source: str
    split: str
    pair_split: float
    folds: int
    stopped_on_test: bool
    study: str
    settings: tuple[str, ...]
    made: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_citation(self.title, [row.name for row in self.rows], self.source, self.split)


def check_citation(title: str, names: Sequence[str], source: str, split: str) -> None:
    """Raise ValueError where rows share a name, or figures have no source."""
    if len(set(names)) < len(names) or not names:
        raise ValueError(f"{title}: every row needs a name of its own")
    if not (source and split):
        raise ValueError(f"{title}: a figure without its source is no citation")
