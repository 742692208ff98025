"""The command that sets the papers' tables beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectrosim_search.cli_options import (
    DEFAULT_STORAGE,
    GroupOption,
    IdOption,
    JsonOption,
    LabelOption,
    PatternOption,
    SplitOption,
    StorageOption,
    columns_of,
    print_json,
    storage_url,
)

__all__ = ["reproduce"]

COST = "chapter-cost"  # no scores: what the command `models --papers` measures


def reproduce(
    table: Annotated[str, typer.Argument(help="Printed table, e.g. spectrosim-table-2; --list names all.")] = "",
    rows: Annotated[str, typer.Option("--rows", help="These rows alone: lda,cnn-binary,cnn-contrastive.")] = "",
    data: Annotated[str, typer.Option("--data", help="Table of spectra; without it simulated ones.")] = "",
    seeds: Annotated[int, typer.Option(help="Seeds, each with splits and training drawn anew; the papers: 30.")] = 3,
    name: Annotated[str, typer.Option("--name", help="Name in the database; default: table and data.")] = "",
    workers: Annotated[int | None, typer.Option(help="Ray workers; 0: in this process; default: cores.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Fix a value of all rows: training.epochs=20.")
    ] = None,
    group_column: GroupOption = "",
    label_column: LabelOption = "",
    id_column: IdOption = "",
    split_column: SplitOption = "",
    group_pattern: PatternOption = "",
    out: Annotated[Path | None, typer.Option("--output", "-o", help="File to write: .html, .csv or .json.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the tables in Markdown.")] = False,
    list_: Annotated[bool, typer.Option("--list", help="List the tables, or the rows of one, and end.")] = False,
    storage: StorageOption = DEFAULT_STORAGE,
    json_: JsonOption = False,
) -> None:
    """A table of the papers beside ours: as printed, split as the paper did, with nothing cut by a split.

    Run again to go on where it stopped; more --seeds add to those there are.
    """
    from spectrosim_search.cli_display import progress_display
    from spectrosim_search.cli_display_methods import print_reproduction, print_tables
    from spectrosim_search.config.errors import InputError
    from spectrosim_search.report.reproduce import SUFFIXES, document, explanation, findings, write_reproduction
    from spectrosim_search.report.reproduce import markdown as as_markdown
    from spectrosim_search.search.reproduce import prepare_table, table_names
    from spectrosim_search.search.reproduce import reproduce as run_table
    from spectrosim_search.search.run import check_writable

    if list_:
        print_tables(table, (*table_names(), COST))
        return
    if not table:
        raise InputError(f"name a table: {', '.join((*table_names(), COST))}")
    if table == COST:
        if out is not None:
            raise InputError(f"{COST} prints its table and writes no file: use --markdown or --json")
        _costs(rows, data, json_=json_, as_markdown=markdown)
        return
    if out is not None:
        if out.suffix not in SUFFIXES:
            raise InputError(f"{out}: name a file that ends in {', '.join(SUFFIXES)}")
        check_writable(out)
    asked = prepare_table(
        table,
        rows=[r.strip() for r in rows.split(",") if r.strip()],
        study=name,
        data=data,
        columns=columns_of(group_column, label_column, id_column, split_column, group_pattern),
        set_=set_ or [],
    )
    with progress_display(err=True) as progress:
        found = run_table(
            asked,
            storage=storage_url(storage),
            seeds=seeds,
            workers=workers,
            on_event=progress.event,
            on_note=progress.note,
        )
    if json_:
        print_json(document(found))
    elif markdown:
        typer.echo("\n\n".join([as_markdown(found), *findings(found), *explanation(found)]))
    else:
        print_reproduction(found)
    if out is not None:
        write_reproduction(found, out)
        typer.echo(str(out), err=True)


def _costs(rows: str, data: str, *, json_: bool, as_markdown: bool) -> None:
    from spectrosim_search.cli_models import models
    from spectrosim_search.learning.published_costs import PUBLISHED

    models(
        [r.strip() for r in rows.split(",") if r.strip()] or list(PUBLISHED),
        channels=2080,
        data=data,
        batch=32,
        head="mlp",
        objective="nt-xent",
        set_=None,
        device="cpu",
        replicates=1,
        seconds=1.0,
        papers=True,
        markdown=as_markdown,
        json_=json_,
    )
