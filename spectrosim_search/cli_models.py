"""Commands for models: what encoders cost (models), what is taken away (export, train, verify, embed)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

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
    StudyArgument,
    VectorsOption,
    print_json,
    read_telling,
    storage_url,
    warnings_as_lines,
)
from spectrosim_search.config.fields import plain

__all__ = ["COMMANDS", "embed", "export", "models", "train", "verify"]


def export(
    study: StudyArgument,
    output: Annotated[Path, typer.Option("-o", "--output", help="YAML file to write; with --pareto a folder.")],
    trial: Annotated[int | None, typer.Option(help="This trial instead of the confirmed winner.")] = None,
    committee: Annotated[
        bool, typer.Option("--committee", help="The best finished trials, their similarities averaged.")
    ] = False,
    pareto: Annotated[bool, typer.Option("--pareto", help="Every configuration of the Pareto front.")] = False,
    storage: StorageOption = DEFAULT_STORAGE,
) -> None:
    """Write the best configuration as YAML that a person can read."""
    from spectrosim_search.config.errors import InputError
    from spectrosim_search.deploy.export import export as export_configuration
    from spectrosim_search.deploy.export import export_front
    from spectrosim_search.search.run import check_writable, read_study

    if pareto + (trial is not None) + committee > 1:
        raise InputError("--trial, --committee and --pareto export different things: give one of them")
    record = read_study(study, storage_url(storage))
    if pareto:
        texts = export_front(record)
        if output.is_file():
            raise InputError(f"{output} is a file: --pareto writes a file for every trial; name a folder")
        check_writable(output / "trial.yaml")
        for number, text in texts.items():
            (output / f"trial-{number}.yaml").write_text(text, encoding="utf-8")
            typer.echo(str(output / f"trial-{number}.yaml"))
        return
    text = export_configuration(record, trial, committee=committee)
    check_writable(output)
    output.write_text(text, encoding="utf-8")
    typer.echo(str(output))


def train(
    configuration: Annotated[Path, typer.Argument(help="Exported YAML.")],
    out: Annotated[Path, typer.Option("--out", help="Model folder to write.")],
    data: Annotated[str, typer.Option("--data", help="Table of spectra; without it the simulator's data.")] = "",
    seeds: Annotated[int, typer.Option(help="Seeds per fold behind the threshold and the expected errors.")] = 3,
    force: Annotated[bool, typer.Option(help="Overwrite an existing model folder.")] = False,
    onnx: Annotated[Path | None, typer.Option("--onnx", help="ONNX file to write as well.")] = None,
    vectors: VectorsOption = "",
    group_column: GroupOption = "",
    label_column: LabelOption = "",
    id_column: IdOption = "",
    split_column: SplitOption = "",
    group_pattern: PatternOption = "",
) -> None:
    """Train an exported configuration on all spectra; write a model folder."""
    from spectrosim_search.config.errors import InputError
    from spectrosim_search.config.study import DataSource
    from spectrosim_search.deploy.document import load_export, simulator_of
    from spectrosim_search.deploy.retrain import train as train_model
    from spectrosim_search.deploy.retrain_named import train_named
    from spectrosim_search.learning.engine import single_thread
    from spectrosim_search.search.class_bench import prepared_for
    from spectrosim_search.spectra.load import load

    document = load_export(configuration)
    names_class = bool(document.task)
    simulated = {} if data else simulator_of(document)
    source = DataSource(
        **simulated,
        path=data,
        group_column=group_column,
        label_column=label_column,
        id_column=id_column,
        split_column=split_column,
        group_pattern=group_pattern,
        vectors=vectors,
    )
    spectra = load(source, need_groups=not names_class)

    def show(what: str, share: float) -> None:
        typer.echo(f"{share:4.0%} {what}", err=True)

    if onnx is not None and names_class:
        raise InputError("--onnx writes models that compare pairs; this configuration names classes")
    if onnx is not None:
        from spectrosim_search.deploy.onnx import check_onnx

        check_onnx(onnx)  # before the training, which may take long
    with single_thread():  # bit-equal results for equal seeds
        if names_class:
            spectra = prepared_for(document.task, spectra)
            named = train_named(document, spectra, out, source=source, seeds=seeds, force=force, progress=show)
            typer.echo(str(named.path))
            return
        model = train_model(document, spectra, out, seeds=seeds, force=force, progress=show)
    typer.echo(str(out))
    if onnx is not None:
        from spectrosim_search.deploy.onnx import export_onnx

        typer.echo(str(export_onnx(model, onnx)))


def verify(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    file: Annotated[str, typer.Argument(help="Table of spectra.")],
    gallery: Annotated[str, typer.Option(help="Table of spectra with groups to compare against.")] = "",
    prior: Annotated[float, typer.Option(help="Prior probability that a pair is of one batch.")] = 0.5,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="CSV file; default: print.")] = None,
    id_column: IdOption = "",
    group_column: GroupOption = "",
    group_pattern: PatternOption = "",
    json_: JsonOption = False,
) -> None:
    """Are pairs of spectra of one batch? Similarity, decision, likelihood ratio, probability.

    Group column and pattern are those of the gallery.
    """
    from spectrosim_search.cli_display import print_rows
    from spectrosim_search.config.errors import InputError
    from spectrosim_search.deploy.verifier import Verifier
    from spectrosim_search.search.run import check_writable

    if (group_column or group_pattern) and not gallery:
        raise InputError("--group-column and --group-pattern are of the gallery: give --gallery")
    if output is not None:
        check_writable(output)
    verifier = Verifier.load(model)
    queries = read_telling(file, id_column=id_column)
    if not gallery and len(queries) < 2:
        raise InputError(f"{file}: one spectrum makes no pair; give more, or known ones with --gallery")
    with warnings_as_lines():
        if gallery:
            of_gallery = {"group_column": group_column, "group_pattern": group_pattern, "id_column": id_column}
            known = read_telling(gallery, **of_gallery, need_groups=True)
            rows = verifier.verify_gallery(queries, known, prior=prior).rows()
        else:
            rows = verifier.verify_pairs(queries, prior=prior).rows()
    print_json(rows) if json_ else print_rows(rows, output)


def embed(
    model: Annotated[Path, typer.Argument(help="Model folder.")],
    file: Annotated[str, typer.Argument(help="Table of spectra.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="CSV or NPZ file to write.")],
    id_column: IdOption = "",
    group_column: GroupOption = "",
    group_pattern: PatternOption = "",
) -> None:
    """Write the embedding of every spectrum."""
    from spectrosim_search.deploy.verifier import Verifier
    from spectrosim_search.search.run import check_writable
    from spectrosim_search.spectra.embeddings import write_embeddings

    check_writable(output)
    spectra = read_telling(file, id_column=id_column, group_column=group_column, group_pattern=group_pattern)
    with warnings_as_lines():
        embedded = Verifier.load(model).embed(spectra)
    write_embeddings(spectra, embedded, output)
    typer.echo(str(output))


def models(
    encoders: Annotated[list[str] | None, typer.Argument(help="Encoders; without any: all.")] = None,
    channels: Annotated[int, typer.Option(min=1, help="Channels of a spectrum.")] = 2080,
    data: Annotated[str, typer.Option("--data", help="Table of spectra whose number of channels to take.")] = "",
    batch: Annotated[int, typer.Option(help="Spectra in a batch; each has two views in training.")] = 32,
    head: Annotated[str, typer.Option(help="Projection head.")] = "mlp",
    objective: Annotated[str, typer.Option(help="Objective.")] = "nt-xent",
    set_: Annotated[list[str] | None, typer.Option("--set", help="Fix a setting: encoder.width=128.")] = None,
    device: Annotated[str, typer.Option(help="cpu, cuda or cuda:N.")] = "cpu",
    replicates: Annotated[int, typer.Option(min=1, help="Replicates in the stack that is measured.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.0, help="Time to measure each figure for.")] = 1.0,
    papers: Annotated[bool, typer.Option("--papers", help="Show the published figures beside ours.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table in Markdown.")] = False,
    json_: JsonOption = False,
) -> None:
    """What each encoder costs: parameters, megabytes, time of training and inference."""
    from spectrosim_search.cli_display import measuring, print_costs
    from spectrosim_search.config.errors import InputError
    from spectrosim_search.learning import costs
    from spectrosim_search.learning.published_costs import PUBLISHED
    from spectrosim_search.search.documents import read_assignments
    from spectrosim_search.spectra.readers import read

    settings: dict[str, dict[str, Any]] = {}
    for path, value in read_assignments(set_ or []).items():
        part, _, name = path.partition(".")
        settings.setdefault(part, {})[name] = value
    if encoders and "type" in settings.get("encoder", {}):
        raise InputError("encoders are named as arguments: leave --set encoder.type away")
    chosen = costs.configurations(encoders or (), head=head, objective=objective, batch=batch, settings=settings)
    if data:
        channels = read(data, need_groups=False).axis.size
    with measuring(quiet=json_ or markdown) as note:
        found = costs.measure_all(chosen, channels, note=note, device=device, replicates=replicates, seconds=seconds)
    if json_:
        print_json([{**plain(c), "published": plain(PUBLISHED.get(c.encoder)) if papers else None} for c in found])
        return
    text = costs.caption(chosen[0], channels, device=device, replicates=replicates)
    if papers:
        text += f" Published: {costs.SOURCE}."
    if markdown:
        typer.echo(f"{costs.markdown(found, papers=papers)}\n\n{text}")
    else:
        print_costs(found, text, papers=papers)


COMMANDS = (export, train, verify, embed, models)
