"""Places of parameter values on a drawn axis, numeric or not, linear or logarithmic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.report.numbers import scalar
from spectrosim_search.search.records import StudyRecord

__all__ = ["Scale", "spread_out"]


@dataclass(frozen=True)
class Scale:
    """Where a value stands: categories at 0, 1, 2, …; numbers at themselves or at their decimal logarithm."""

    categories: tuple[Scalar, ...]  # empty for numbers
    log: bool

    @classmethod
    def of(cls, record: StudyRecord, path: str, values: Sequence[Scalar]) -> Scale:
        """Take kind and scale from the study's dimension of that path, or from the values where it has none."""
        dimension = next((d for d in record.study.dimensions if d.path == path), None)
        numeric = all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)
        if not numeric or (dimension is not None and dimension.kind == "categorical"):
            seen = set(values)
            declared = [c for c in dimension.choices if c in seen] if dimension is not None else []
            rest = seen - set(declared)
            extra = sorted(rest, key=lambda v: (isinstance(v, str), v if not isinstance(v, str) else 0, str(v)))
            return cls((*declared, *extra), False)
        log = dimension.log if dimension is not None else False
        return cls((), log and all(float(v) > 0 for v in values))

    def place(self, value: Scalar) -> float:
        """Coordinate of a value."""
        if self.categories:
            return float(self.categories.index(value))
        return math.log10(float(value)) if self.log else float(value)

    def ticks(self, values: Sequence[Scalar], most: int = 4) -> tuple[list[float], list[str]]:
        """Coordinates and texts of a few ticks over the values."""
        if self.categories:
            return [float(i) for i in range(len(self.categories))], [scalar(c) for c in self.categories]
        places = sorted({self.place(v) for v in values})
        if len(places) <= most:
            chosen = places
        elif self.log and 2 <= (decades := math.floor(places[-1]) - math.ceil(places[0]) + 1) <= most + 2:
            chosen = [float(math.ceil(places[0]) + i) for i in range(decades)]
        else:
            chosen = [places[0] + (places[-1] - places[0]) * i / (most - 1) for i in range(most)]
        whole = not self.log and all(float(v).is_integer() for v in values)
        texts = [f"{10**p:.2g}" if self.log else (f"{p:.0f}" if whole else f"{p:.2g}") for p in chosen]
        return chosen, texts


def spread_out(count: int, width: float = 0.5) -> list[float]:
    """Offsets in ``[-width/2, width/2]`` that keep marks of one category apart, equal at every rendering.

    Additive recurrence with the golden ratio: evenly filled at every count.
    """
    return [width * ((i * 0.6180339887498949) % 1.0 - 0.5) for i in range(count)]
