"""The command line: thin commands over library functions that a notebook can call too.

Heavy libraries are imported inside the commands that need them, so that ``--help`` and ``status`` answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import spectrosim_search
from spectrosim_search import cli_baselines, cli_compare, cli_models, cli_named, cli_protocols, cli_reproduce
from spectrosim_search.cli_options import (
    DEFAULT_STORAGE,
    GroupOption,
    IdOption,
    InnerOption,
    JsonOption,
    LabelOption,
    PatternOption,
    SplitOption,
    StorageOption,
    StudyArgument,
    VectorsOption,
    columns_of,
    print_json,
    storage_url,
)
from spectrosim_search.config.errors import ConfigurationError, InputError, SpectroSimError
from spectrosim_search.config.fields import plain

__all__ = ["app", "main"]

app = typer.Typer(
    name="spectrosim-search",
    help="Find the contrastive model that best tells whether two spectra come from the same batch, and prove it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
data_app = typer.Typer(help="Look at a table of spectra, or simulate one.", no_args_is_help=True)
app.add_typer(data_app, name="data")


def _version(show: bool) -> None:
    if show:
        typer.echo(f"spectrosim-search {spectrosim_search.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Options before the command."""


@app.command()
def run(
    study: Annotated[str, typer.Option("--study", help="Bundled study or a YAML file.")] = "transformer",
    data: Annotated[str, typer.Option("--data", help="Table of spectra; without it the study's own data.")] = "",
    name: Annotated[str, typer.Option("--name", help="Name in the database; default: study and data.")] = "",
    storage: StorageOption = DEFAULT_STORAGE,
    trials: Annotated[int | None, typer.Option(help="Total of finished and pruned trials.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Wall time of search and confirmation together.")] = None,
    replicates: Annotated[int | None, typer.Option(help="Training runs of search and confirmation together.")] = None,
    seeds: Annotated[int | None, typer.Option(help="Fresh seeds of each finalist in the confirmation.")] = None,
    protocol: Annotated[str, typer.Option(help="batch-disjoint, shared-batch or random-pairs (leaks).")] = "",
    scoring: Annotated[str, typer.Option(help="auto, hold-out, corrected-cv or nested.")] = "",
    objectives: Annotated[str, typer.Option(help="E.g. score,inference_time,parameters.")] = "",
    seed: Annotated[int | None, typer.Option(help="Seed of the whole study.")] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "",
    workers: Annotated[int | None, typer.Option(help="Ray workers; 0: in this process; default: cores.")] = None,
    address: Annotated[str, typer.Option(help="Address of a running Ray cluster to join.")] = "",
    gpus_per_trial: Annotated[float, typer.Option(help="GPU share of a worker, e.g. 0.25.")] = 0.0,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Fix a value: head.width=128.")] = None,
    vary: Annotated[list[str] | None, typer.Option("--vary", help="Vary a value: temperature=0.02..1:log.")] = None,
    group_column: GroupOption = "",
    label_column: LabelOption = "",
    id_column: IdOption = "",
    split_column: SplitOption = "",
    group_pattern: PatternOption = "",
    vectors: VectorsOption = "",
    report: Annotated[str, typer.Option("--report", help="Write the HTML report here at the end.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show cells, time, memory; train nothing.")] = False,
    json_: JsonOption = False,
) -> None:
    """Search, confirm and report; on an existing study: go on where it stopped."""
    from spectrosim_search.cli_display import print_plan, print_result, progress_display
    from spectrosim_search.search.run import check_writable, plan_study, prepare_study, run_study

    columns = columns_of(group_column, label_column, id_column, split_column, group_pattern) | {"vectors": vectors}
    settings = [*(set_ or [])]
    for path, value in (
        ("budget.trials", trials),
        ("budget.minutes", minutes),
        ("budget.replicates", replicates),
        ("confirmation.seeds", seeds),
        ("confirmation.minimum_seeds", seeds if seeds is not None and seeds < 3 else None),
        ("protocol.name", protocol or None),
        ("protocol.scoring", scoring or None),
        ("objectives", objectives or None),
        ("seed", seed),
        ("training.precision", precision or None),
    ):
        if value is not None:
            settings.append(f"{path}={value}")
    prepared = prepare_study(study, name=name, data=data, columns=columns, set_=settings, vary=vary or [])
    if dry_run:
        plan = plan_study(prepared, workers=workers)
        print_json(plan) if json_ else print_plan(plan)
        return
    if report:
        check_writable(Path(report))
    with progress_display(quiet=json_) as progress:
        record = run_study(
            prepared,
            storage=storage_url(storage),
            workers=workers,
            address=address,
            gpus_per_trial=gpus_per_trial,
            on_event=progress.event,
            on_note=progress.note,
        )
    if report:
        from spectrosim_search.report.page import write_report

        report = str(write_report(record, Path(report)))
    if json_:
        from spectrosim_search.report.table import result_rows

        print_json({"study": record.study.name, "rows": result_rows(record), "report": report or None})
    else:
        print_result(record, report)


@data_app.command("inspect")
def data_inspect(
    file: Annotated[str, typer.Argument(help="Table of spectra.")],
    group_column: GroupOption = "",
    label_column: LabelOption = "",
    id_column: IdOption = "",
    split_column: SplitOption = "",
    group_pattern: PatternOption = "",
    json_: JsonOption = False,
) -> None:
    """Sizes, axis, groups, duplicates, zeros, warnings, and what protocol is possible."""
    from spectrosim_search.cli_display import print_inspection
    from spectrosim_search.spectra.inspect import inspect
    from spectrosim_search.spectra.readers import read

    found = inspect(
        read(
            file,
            group_column=group_column,
            label_column=label_column,
            id_column=id_column,
            split_column=split_column,
            group_pattern=group_pattern,
        )
    )
    print_json(found.to_dict()) if json_ else print_inspection(found)


@data_app.command("simulate")
def data_simulate(
    output: Annotated[Path, typer.Option("-o", "--output", help="File to write: .csv, .csv.gz or .npz.")],
    simulator: Annotated[str, typer.Option(help="Embedded simulator.")] = "reims",
    seed: Annotated[int, typer.Option(help="Seed.")] = 0,
    set_: Annotated[list[str] | None, typer.Option("--set", help="A parameter, e.g. batches=40.")] = None,
) -> None:
    """Write simulated spectra to a file."""
    from spectrosim_search.search.documents import read_assignments
    from spectrosim_search.spectra.simulators import simulate
    from spectrosim_search.spectra.writers import write

    spectra = simulate(simulator, **{"seed": seed, **read_assignments(set_ or [])})
    write(spectra, output)
    typer.echo(f"{output}: {len(spectra)} spectra × {spectra.axis.size} channels, fingerprint {spectra.fingerprint}")


@app.command()
def status(study: StudyArgument, storage: StorageOption = DEFAULT_STORAGE, json_: JsonOption = False) -> None:
    """How far one study is."""
    from spectrosim_search.cli_display import print_status
    from spectrosim_search.search.store import Store

    with Store(storage_url(storage), read_only=True) as store:
        found = store.status(study)
    print_json(found) if json_ else print_status(found)


@app.command()
def studies(storage: StorageOption = DEFAULT_STORAGE, inner: InnerOption = False, json_: JsonOption = False) -> None:
    """List the studies of a database."""
    from spectrosim_search.cli_display import print_studies
    from spectrosim_search.search.store import Store

    with Store(storage_url(storage), read_only=True) as store:
        rows = store.studies(inner=inner)
    print_json(list(rows)) if json_ else print_studies(rows)


@app.command()
def spaces(
    study: Annotated[str, typer.Argument(help="Bundled study or a YAML file; without it: all bundled ones.")] = "",
    json_: JsonOption = False,
) -> None:
    """What a study varies, or the bundled studies and spaces."""
    from spectrosim_search.cli_display import print_spaces
    from spectrosim_search.search.documents import describe_space, list_spaces, list_studies, load_study

    found: dict[str, Sequence[Mapping[str, Any]]]
    if study:
        found = {f"study {study}": plain(describe_space(load_study(study)))}
    else:
        found = {
            "studies": [{"name": name, "description": text} for name, text in list_studies()],
            "search spaces": [{"name": space.name, "description": space.description} for space in list_spaces()],
        }
    print_json(found) if json_ else print_spaces(found)


@app.command()
def report(
    study: StudyArgument,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="HTML file to write.")] = None,
    static: Annotated[Path | None, typer.Option("--static", help="Folder for the figures as PNG files too.")] = None,
    storage: StorageOption = DEFAULT_STORAGE,
) -> None:
    """Write one offline HTML file: verdict, table, figures."""
    from spectrosim_search.report.page import write_report
    from spectrosim_search.search.run import read_study

    record = read_study(study, storage_url(storage))
    typer.echo(str(write_report(record, output or Path(f"{study}.html"))))
    if static is not None:
        from spectrosim_search.report.static import write_static

        for path in write_static(record, static):
            typer.echo(str(path))


@app.command()
def dashboard(
    study: StudyArgument = "",
    storage: StorageOption = DEFAULT_STORAGE,
    host: Annotated[str, typer.Option(help="Interface to bind.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port.")] = 8080,
) -> None:
    """Start the Optuna dashboard on this machine, with the study's figures, report and configuration in it."""
    from spectrosim_search.deploy.export import export as export_configuration
    from spectrosim_search.report.dashboard import attach_figures, serve
    from spectrosim_search.report.page import render
    from spectrosim_search.search.artefacts import attach_artefacts
    from spectrosim_search.search.run import read_study
    from spectrosim_search.search.store import Store

    url = storage_url(storage)
    with Store(url) as store:
        artefacts = None
        if study:
            record, optuna_study = read_study(study, url), store.optuna_study(study)
            attach_figures(optuna_study, record)
            confirmation = record.confirmation
            if confirmation is not None and confirmation.export_kind != "none":
                made = f"{confirmation.created_at:.0f}"
                files = {
                    f"{study}-{made}.html": render(record),
                    f"{study}-{made}.yaml": export_configuration(record, None),
                }
                artefacts = attach_artefacts(optuna_study, url, files)
        serve(store.optuna_storage(), host=host, port=port, artifact_store=artefacts)


@app.command()
def delete(
    study: StudyArgument,
    storage: StorageOption = DEFAULT_STORAGE,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Delete a study with all its trials and replicates."""
    from spectrosim_search.search.store import Store

    if not yes and not typer.confirm(f"Delete study '{study}' with all its results?"):
        raise typer.Exit(1)
    with Store(storage_url(storage)) as store:
        store.delete(study)
    typer.echo(f"deleted {study}")


@app.command()
def doctor(storage: StorageOption = DEFAULT_STORAGE, json_: JsonOption = False) -> None:
    """Check versions, hardware, extras and the database."""
    from spectrosim_search.cli_display import print_checks
    from spectrosim_search.search.doctor import examine

    checks = examine(storage_url(storage))
    print_json(checks) if json_ else print_checks(checks)
    if any(c["state"] == "bad" for c in checks):
        raise typer.Exit(1)


for _command in (
    cli_baselines.baselines,
    cli_compare.compare,
    cli_protocols.protocols,
    cli_reproduce.reproduce,
    *cli_models.COMMANDS,
    *cli_named.COMMANDS,
):
    app.command()(_command)


def main() -> None:
    """Entry point: one line for every expected failure; exit code 2 for wrong input, 1 for a failed run."""
    try:
        app()
    except InputError as error:
        for problem in error.problems if isinstance(error, ConfigurationError) else [error]:
            print(f"error: {problem}", file=sys.stderr)
        raise SystemExit(2) from None
    except SpectroSimError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(getattr(error, "exit_code", 1)) from None
    except PermissionError as error:
        print(f"error: {error.filename}: permission denied; change its permissions or choose another", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        raise SystemExit(130) from None


if __name__ == "__main__":
    main()
