"""What a search varies, as rows for a table."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from spectrosim_search.config.configuration import Scalar
from spectrosim_search.config.study import Dimension, Study
from spectrosim_search.search.documents.catalogue import places
from spectrosim_search.search.documents.text import scalar_text

__all__ = ["SpaceRow", "describe_dimensions", "describe_space", "range_text"]


@dataclass(frozen=True)
class SpaceRow:
    """One key: what it can be, when, where the search starts, what it means. `kind` is fixed for keys of one value."""

    key: str
    kind: str  # float, int, categorical, fixed
    values: str  # '0.02..1:log', 'linear | mlp'; readable by ``--vary``
    when: str  # 'head.type = mlp'; empty: always
    start: str  # value in the study's base; empty: the default
    unit: str
    description: str


def range_text(dim: Dimension) -> str:
    """The domain of a dimension in the form ``--vary`` reads."""
    if dim.kind == "categorical":
        return "|".join(scalar_text(choice) for choice in dim.choices)
    step = f":step={dim.step:.12g}" if dim.step else ""
    return f"{dim.low:.12g}..{dim.high:.12g}{':log' if dim.log else ''}{step}"


def describe_dimensions(dimensions: Iterable[Dimension], base: dict[str, Scalar]) -> tuple[SpaceRow, ...]:
    """Rows of what varies."""
    return tuple(
        SpaceRow(
            key=dim.path,
            kind=dim.kind,
            values=range_text(dim),
            when=" and ".join(f"{path} = {' or '.join(scalar_text(v) for v in allowed)}" for path, allowed in dim.when),
            start=scalar_text(base[dim.path]) if dim.path in base else "",
            unit=_unit(dim.path),
            description=dim.description,
        )
        for dim in dimensions
    )


def describe_space(study: Study) -> tuple[SpaceRow, ...]:
    """Rows for every key that varies, then for every key the study fixes."""
    base = dict(study.base)
    varied = {dim.path for dim in study.dimensions}
    fixed = tuple(
        SpaceRow(path, "fixed", scalar_text(value), "", scalar_text(value), _unit(path), _meaning(path))
        for path, value in study.base
        if path not in varied
    )
    return describe_dimensions(study.dimensions, base) + fixed


def _unit(path: str) -> str:
    return places()[path][0].unit if path in places() else ""


def _meaning(path: str) -> str:
    return places()[path][0].description if path in places() else ""
