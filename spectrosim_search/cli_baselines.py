"""The command for methods that need no search."""

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

__all__ = ["baselines"]


def baselines(
    data: Annotated[str, typer.Option("--data", help="Table of spectra; without it the study's own data.")] = "",
    study: Annotated[
        str, typer.Option("--study", help="Bundled study, a YAML file, or one in the database.")
    ] = "transformer",
    name: Annotated[str, typer.Option("--name", help="Name in the database; default: study and data.")] = "",
    only: Annotated[str, typer.Option("--only", help="These alone: cosine,linear-metric.")] = "",
    all_: Annotated[bool, typer.Option("--all", help="Every baseline there is, not the study's few.")] = False,
    seeds: Annotated[int, typer.Option(help="Seeds of the methods that draw.")] = 30,
    minutes: Annotated[float, typer.Option(help="Wall time; run again to go on. 0: no limit.")] = 0.0,
    workers: Annotated[int | None, typer.Option(help="Ray workers; 0: in this process; default: cores.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Fix a value: protocol.folds=5.")] = None,
    group_column: GroupOption = "",
    label_column: LabelOption = "",
    id_column: IdOption = "",
    split_column: SplitOption = "",
    group_pattern: PatternOption = "",
    report: Annotated[str, typer.Option("--report", help="Write the HTML report here at the end.")] = "",
    list_: Annotated[bool, typer.Option("--list", help="List the baselines and end.")] = False,
    storage: StorageOption = DEFAULT_STORAGE,
    json_: JsonOption = False,
) -> None:
    """Compare methods that need no search, or set more of them beside a study that was searched."""
    from spectrosim_search.baselines import every
    from spectrosim_search.cli_display import progress_display
    from spectrosim_search.cli_display_methods import print_baselines, print_ranking
    from spectrosim_search.config.errors import InputError

    if list_:
        print_baselines(json_=json_)
        return
    if only and all_:
        raise InputError("--only names some baselines, --all takes every one: give one of them")
    from spectrosim_search.search.run import check_writable
    from spectrosim_search.search.run_baselines import compare_baselines, prepare_baselines

    columns = columns_of(group_column, label_column, id_column, split_column, group_pattern)
    if report:
        check_writable(Path(report))
    named = every() if all_ else tuple(dict.fromkeys(n.strip() for n in only.split(",") if n.strip()))
    prepared = prepare_baselines(
        study, storage=storage_url(storage), names=named, name=name, data=data, columns=columns, set_=set_ or []
    )
    with progress_display(quiet=json_) as progress:
        compared = compare_baselines(
            prepared,
            storage=storage_url(storage),
            seeds=seeds,
            workers=workers,
            minutes=minutes,
            on_event=progress.event,
            on_note=progress.note,
        )
    if report:
        from spectrosim_search.report.page import write_report

        report = str(write_report(compared.record, Path(report)))
    if json_:
        from spectrosim_search.report.table import result_rows

        rows = result_rows(compared.record)
        print_json({"study": prepared.study.name, "rows": rows, "seconds": compared.seconds, "report": report or None})
    else:
        print_ranking(compared, report)
