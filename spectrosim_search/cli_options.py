"""Options and small helpers that the commands share."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectrosim_search.config.fields import plain

if TYPE_CHECKING:
    from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = [
    "DEFAULT_STORAGE",
    "GroupOption",
    "IdOption",
    "InnerOption",
    "JsonOption",
    "LabelOption",
    "PatternOption",
    "SplitOption",
    "StorageOption",
    "StudyArgument",
    "VectorsOption",
    "columns_of",
    "print_json",
    "read_telling",
    "storage_url",
    "warnings_as_lines",
]

DEFAULT_STORAGE = "sqlite:///spectrosim.db"

StorageOption = Annotated[str, typer.Option("--storage", help="Study database: any SQLAlchemy URL or an SQLite file.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
InnerOption = Annotated[bool, typer.Option("--inner", help="Searches in outer folds of other studies too (nested).")]
StudyArgument = Annotated[str, typer.Argument(help="Name of a study in the database.")]
GroupOption = Annotated[str, typer.Option("--group-column", help="Column that names the group.")]
LabelOption = Annotated[str, typer.Option("--label-column", help="Column that names the label.")]
IdOption = Annotated[str, typer.Option("--id-column", help="Column that names the sample.")]
SplitOption = Annotated[str, typer.Option("--split-column", help="Column whose members stay on one side of a split.")]
PatternOption = Annotated[
    str, typer.Option("--group-pattern", help="Regular expression on the sample id; its first group names the group.")
]
VectorsOption = Annotated[
    str, typer.Option("--vectors", help="CSV of one vector a class, by name or InChIKey (study synthesis).")
]


def print_json(value: Any) -> None:
    """Print any configuration, record or plain value as JSON."""
    typer.echo(json.dumps(_finite(plain(value)), indent=2, default=str))


def _finite(value: Any) -> Any:
    """JSON has no NaN: undefined numbers become null."""
    if isinstance(value, dict):
        return {k: _finite(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_finite(v) for v in value]
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """What the library warns of becomes one line each on standard error."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        yield
    for warning in caught:
        typer.echo(f"warning: {warning.message}", err=True)


def read_telling(
    file: str, *, group_column: str = "", id_column: str = "", group_pattern: str = "", need_groups: bool = False
) -> SpectraSet:
    """Read spectra that a model is asked about; what the reader warns of becomes one line each on standard error."""
    from spectrosim_search.spectra.readers import read

    spectra = read(
        file, group_column=group_column, id_column=id_column, group_pattern=group_pattern, need_groups=need_groups
    )
    for line in spectra.warnings:
        typer.echo(f"warning: {line}", err=True)
    return spectra


def storage_url(storage: str) -> str:
    """A plain file name means SQLite."""
    return storage if "://" in storage else f"sqlite:///{storage}"


def columns_of(group: str, label: str, sample: str, split: str, pattern: str) -> dict[str, str]:
    """The options on columns by the names that a study's data have for them."""
    return {
        "group_column": group,
        "label_column": label,
        "id_column": sample,
        "split_column": split,
        "group_pattern": pattern,
    }
