"""Commands that use a model of a task that names a class: identify, classify, generate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spectrosim_search.cli_options import JsonOption, print_json, warnings_as_lines

if TYPE_CHECKING:
    from spectrosim_search.deploy.named_model import NamedModel

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
    json_: JsonOption = False,
) -> None:
    """Which compound or individual is each spectrum of? (models of the studies identify and synthesis)"""
    from spectrosim_search.cli_display import print_rows
    from spectrosim_search.config.errors import InputError
    from spectrosim_search.deploy.gallery import enrolled, name_mixtures
    from spectrosim_search.deploy.named_model import load_named
    from spectrosim_search.learning.engine import single_thread
    from spectrosim_search.spectra.readers import read

    loaded = load_named(model, ("identify", "synthesis"))
    if (gallery or components > 1) and loaded.task != "identify":
        raise InputError("--gallery and --components need a model of the study identify: this one has no gallery")
    if gallery:
        with single_thread():
            loaded = enrolled(loaded, read(gallery))
    if components == 1:
        _print(loaded, file, unknown, best, output, json_)
        return
    with single_thread(), warnings_as_lines():
        rows, told = name_mixtures(loaded, read(file, need_groups=False), components)
    for line in told:
        typer.echo(f"warning: {line}", err=True)
    print_json(rows) if json_ else print_rows(rows, output)


def classify(
    model: ModelArgument,
    file: FileArgument,
    unknown: UnknownOption = False,
    best: BestOption = 1,
    output: OutputOption = None,
    json_: JsonOption = False,
) -> None:
    """Which label does each spectrum have? (models of the study pretrain)"""
    from spectrosim_search.deploy.named_model import load_named

    _print(load_named(model, ("pretrain",)), file, unknown, best, output, json_)


def _print(loaded: NamedModel, file: str, unknown: bool, best: int, output: Path | None, json_: bool) -> None:
    from spectrosim_search.cli_display import print_rows
    from spectrosim_search.learning.engine import single_thread
    from spectrosim_search.spectra.readers import read

    spectra = read(file, need_groups=False)
    with single_thread(), warnings_as_lines():
        found = loaded.identify(spectra)
    for line in found.warnings:
        typer.echo(f"warning: {line}", err=True)
    rows = found.rows(reject=unknown, best=best)
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
