"""Commands that use a model of a task that names a class: identify, classify, generate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectrosim_search.cli_options import JsonOption, print_json, warnings_as_lines

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
    output: OutputOption = None,
    json_: JsonOption = False,
) -> None:
    """Which compound or individual is each spectrum of? (models of the studies identify and synthesis)"""
    _name(model, file, ("identify", "synthesis"), unknown, best, output, json_)


def classify(
    model: ModelArgument,
    file: FileArgument,
    unknown: UnknownOption = False,
    best: BestOption = 1,
    output: OutputOption = None,
    json_: JsonOption = False,
) -> None:
    """Which label does each spectrum have? (models of the study pretrain)"""
    _name(model, file, ("pretrain",), unknown, best, output, json_)


def _name(
    model: Path, file: str, tasks: tuple[str, ...], unknown: bool, best: int, output: Path | None, json_: bool
) -> None:
    from spectrosim_search.cli_display import print_rows
    from spectrosim_search.deploy.named_model import load_named
    from spectrosim_search.learning.engine import single_thread
    from spectrosim_search.spectra.readers import read

    loaded = load_named(model, tasks)
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
