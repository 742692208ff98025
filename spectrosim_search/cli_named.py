"""Commands that use a model of a task that names a class: identify, classify, generate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spectrosim_search.cli_options import (
    GroupOption,
    IdOption,
    JsonOption,
    PatternOption,
    print_json,
    read_telling,
    warnings_as_lines,
)

if TYPE_CHECKING:
    from spectrosim_search.deploy.named_model import NamedModel
    from spectrosim_search.spectra.spectra_set import SpectraSet

__all__ = ["COMMANDS", "classify", "generate", "identify"]

ModelArgument = Annotated[Path, typer.Argument(help="Model folder.")]
FileArgument = Annotated[str, typer.Argument(help="Table of spectra.")]
UnknownOption = Annotated[
    bool, typer.Option("--unknown", help="Leave the class empty where the score is below the model's threshold.")
]
BestOption = Annotated[int, typer.Option(min=1, help="Classes to list for each spectrum, best first.")]
OutputOption = Annotated[Path | None, typer.Option("-o", "--output", help="CSV file; default: print.")]


def identify(
    model: ModelArgument,
    file: FileArgument,
    unknown: UnknownOption = False,
    best: BestOption = 1,
    components: Annotated[int, typer.Option(min=1, help="Name so many components of a mixture.")] = 1,
    gallery: Annotated[
        str, typer.Option(help="Table of spectra with groups to know as well, new groups included; nothing is trained.")
    ] = "",
    output: OutputOption = None,
    id_column: IdOption = "",
    group_column: GroupOption = "",
    group_pattern: PatternOption = "",
    json_: JsonOption = False,
) -> None:
    """Which compound or individual is each spectrum of? (models of the studies identify and synthesis)

    Group column and pattern are those of the gallery.
    """
    from spectrosim_search.config.errors import InputError
    from spectrosim_search.deploy.gallery import enrolled, name_mixtures
    from spectrosim_search.deploy.named_model import load_named
    from spectrosim_search.learning.engine import single_thread

    _check(output)
    if (group_column or group_pattern) and not gallery:
        raise InputError("--group-column and --group-pattern are of the gallery: give --gallery")
    loaded = load_named(model, ("identify", "synthesis"))
    if (gallery or components > 1) and loaded.task != "identify":
        raise InputError("--gallery and --components need a model of the study identify: this one has no gallery")
    if components > 1 and (unknown or best > 1):
        raise InputError("--components lists every component it names: leave --best and --unknown away")
    if gallery:
        of_gallery = {"group_column": group_column, "group_pattern": group_pattern, "id_column": id_column}
        known, own = read_telling(gallery, **of_gallery, need_groups=True), len(loaded.notes)
        with single_thread():
            loaded = enrolled(loaded, known)
        _tell(loaded.notes[own:])
    spectra = read_telling(file, id_column=id_column)
    if components == 1:
        _name(loaded, spectra, unknown, best, output, json_)
        return
    with single_thread(), warnings_as_lines():
        rows, told = name_mixtures(loaded, spectra, components)
    _tell(told)
    _print(rows, output, json_)


def classify(
    model: ModelArgument,
    file: FileArgument,
    unknown: UnknownOption = False,
    best: BestOption = 1,
    output: OutputOption = None,
    id_column: IdOption = "",
    json_: JsonOption = False,
) -> None:
    """Which label does each spectrum have? (models of the study pretrain)"""
    from spectrosim_search.deploy.named_model import load_named

    _check(output)
    loaded = load_named(model, ("pretrain",))
    _name(loaded, read_telling(file, id_column=id_column), unknown, best, output, json_)


def _check(output: Path | None) -> None:
    from spectrosim_search.search.run import check_writable

    if output is not None:
        check_writable(output)


def _tell(lines: Sequence[str]) -> None:
    for line in lines:
        typer.echo(f"warning: {line}", err=True)


def _name(loaded: NamedModel, spectra: SpectraSet, unknown: bool, best: int, output: Path | None, json_: bool) -> None:
    from spectrosim_search.learning.engine import single_thread

    with single_thread(), warnings_as_lines():
        found = loaded.identify(spectra)
    _tell(found.warnings)
    _print(found.rows(reject=unknown, best=best), output, json_)


def _print(rows: Sequence[Mapping[str, Any]], output: Path | None, json_: bool) -> None:
    from spectrosim_search.cli_display import print_rows

    print_json(rows) if json_ else print_rows(rows, output)


def generate(
    model: ModelArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV, NPZ or MSP file to write.")],
    class_: Annotated[list[str] | None, typer.Option("--class", help="Class to make spectra of; default: all.")] = None,
    count: Annotated[int, typer.Option(min=1, help="Spectra of each class.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the draws.")] = 0,
) -> None:
    """Make spectra of a model's classes (models of the study synthesis)."""
    from spectrosim_search.deploy.generate import generate as make
    from spectrosim_search.deploy.named_model import load_named
    from spectrosim_search.learning.engine import single_thread
    from spectrosim_search.spectra.writers import write

    loaded = load_named(model, ("synthesis",))
    with single_thread():
        made = make(loaded, class_ or (), count=count, seed=seed)
    write(made, output)
    typer.echo(str(output))


COMMANDS = (identify, classify, generate)
