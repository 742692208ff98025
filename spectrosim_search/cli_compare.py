"""The command that sets several studies beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from spectrosim_search.cli_options import DEFAULT_STORAGE, JsonOption, storage_url

__all__ = ["compare"]


def compare(
    study: Annotated[
        list[str] | None, typer.Argument(help="Names of studies; without them: every confirmed one.")
    ] = None,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="HTML page to write: scores, verdicts, ranks over data sets.")
    ] = None,
    metric: Annotated[
        str, typer.Option(help="Metric of page and Markdown, e.g. auc; default: the one all studies were judged by.")
    ] = "",
    markdown: Annotated[bool, typer.Option("--markdown", help="Print methods × data sets in Markdown.")] = False,
    storage: Annotated[
        list[str] | None, typer.Option("--storage", help="Study database; may be given several times.")
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Set the result tables of several studies side by side; with -o, methods × data sets on one offline page."""
    from spectrosim_search.cli_display import print_comparison
    from spectrosim_search.config.errors import InputError, nearest
    from spectrosim_search.search.records import StudyRecord
    from spectrosim_search.search.store import Store

    wanted = list(study or ())
    found: dict[str, list[StudyRecord]] = {}
    shown: list[str] = []
    known: dict[str, bool] = {}
    for url in dict.fromkeys(storage or [DEFAULT_STORAGE]):
        with Store(storage_url(url), read_only=True) as store:
            every = {s.name: s.confirmed for s in store.studies()}
            for name in dict.fromkeys(wanted or (n for n, confirmed in every.items() if confirmed)):
                if name in every:
                    found.setdefault(name, []).append(store.record(name))
            shown.append(store.shown)
            known |= every
    for name in wanted:
        if name not in found:
            raise InputError(f"there is no study '{name}' in {', '.join(shown)}{nearest(name, known)}")
    records = [r for name in wanted or found for r in found[name]]
    if output is None and not markdown:
        print_comparison(records, json_=json_)
        return
    from spectrosim_search.report import comparison

    if markdown:
        typer.echo(comparison.markdown(comparison.compare(records, metric)), nl=False)
    if output is not None:
        typer.echo(str(comparison.write_comparison(records, output, metric)), err=markdown)
