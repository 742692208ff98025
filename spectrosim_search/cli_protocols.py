"""The command that sets protocols side by side."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spectrosim_search.cli_options import (
    DEFAULT_STORAGE,
    GroupOption,
    IdOption,
    LabelOption,
    PatternOption,
    SplitOption,
    StorageOption,
    columns_of,
    storage_url,
)

if TYPE_CHECKING:
    from spectrosim_search.search.protocols import Model
    from spectrosim_search.search.run import Prepared

__all__ = ["protocols"]


def protocols(
    study: Annotated[str, typer.Option("--study", help="Bundled study or a YAML file.")] = "quick",
    data: Annotated[str, typer.Option("--data", help="Table of spectra; without it the study's own data.")] = "",
    config: Annotated[list[Path] | None, typer.Option("--config", help="Exported configuration to compare.")] = None,
    preset: Annotated[list[str] | None, typer.Option("--preset", help="Published configuration to compare.")] = None,
    winner: Annotated[list[str] | None, typer.Option("--winner", help="A study whose winner to compare.")] = None,
    baselines: Annotated[str, typer.Option(help="Baselines, with commas between; default: the study's.")] = "",
    repeats: Annotated[int, typer.Option("--seeds", min=1, help="Repeats: splits and training drawn anew.")] = 5,
    folds: Annotated[int, typer.Option(min=0, max=20, help="Folds; 0: as many as the study has.")] = 0,
    pair_split: Annotated[float, typer.Option(help="random-pairs: training share, .6 as the papers; 0: folds.")] = 0.0,
    minutes: Annotated[float, typer.Option(min=0.0, help="Begin no repeat that would end later.")] = 0.0,
    out: Annotated[Path | None, typer.Option("--out", help="File to write: .html, .csv or .json.")] = None,
    workers: Annotated[int | None, typer.Option(help="Ray workers; 0: in this process; default: cores.")] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Fix a value: head.width=128.")] = None,
    storage: StorageOption = DEFAULT_STORAGE,
    group_column: GroupOption = "",
    label_column: LabelOption = "",
    id_column: IdOption = "",
    split_column: SplitOption = "",
    group_pattern: PatternOption = "",
) -> None:
    """The same methods under pairs split at random, shared batches and disjoint batches: how much is leakage.

    Without --config, --preset or --winner: the study's starting configuration and its presets.
    """
    from spectrosim_search.cli_display import progress_display
    from spectrosim_search.cli_display_methods import print_protocols
    from spectrosim_search.config.errors import InputError
    from spectrosim_search.report.protocols import SUFFIXES, write_comparison
    from spectrosim_search.search.protocols import compare_protocols
    from spectrosim_search.search.run import check_writable, prepare_study, start_pool

    if out is not None:
        if out.suffix not in SUFFIXES:
            raise InputError(f"{out}: name a file that ends in {', '.join(SUFFIXES)}")
        check_writable(out)
    columns = columns_of(group_column, label_column, id_column, split_column, group_pattern)
    settings = [*(set_ or []), *([f"baselines=[{baselines}]"] if baselines else [])]
    prepared = prepare_study(study, data=data, columns=columns, set_=settings)
    models = _models(prepared, config or [], preset or [], winner or [], storage)
    with progress_display() as progress:
        found = compare_protocols(
            prepared.study,
            prepared.spectra,
            models,
            lambda: start_pool(prepared, workers),
            repeats=repeats,
            folds=folds,
            pair_split=pair_split,
            minutes=minutes,
            say=progress.note,
        )
    print_protocols(found)
    if out is not None:
        write_comparison(found, out)
        typer.echo(str(out))


def _models(prepared: Prepared, files: list[Path], presets: list[str], winners: list[str], storage: str) -> list[Model]:
    """What is compared beside the baselines; what was chosen on these spectra says so."""
    from spectrosim_search.config.errors import InputError
    from spectrosim_search.deploy.document import load_export
    from spectrosim_search.deploy.export import export_document
    from spectrosim_search.search.documents import load_preset
    from spectrosim_search.search.plan import first_configuration
    from spectrosim_search.search.protocols import Model
    from spectrosim_search.search.run import read_study

    found = []
    if not (files or presets or winners):
        found.append(Model("starting configuration", first_configuration(prepared.study)))
        presets = list(prepared.study.confirmation.presets)
    documents = [(path.stem, load_export(path)) for path in files]
    documents += [(f"winner of {name}", export_document(read_study(name, storage_url(storage)))) for name in winners]
    for name, document in documents:
        if document.linear_metric is not None:
            raise InputError(f"'{name}' is a fixed method: name it in --baselines ({document.linear_metric.baseline})")
        if document.configuration is None:
            raise InputError(f"'{name}' is a committee: compare its members, each exported by its trial")
        chosen_here = document.was_chosen_on(prepared.spectra.fingerprint)
        note = "was chosen on these spectra, which flatters it in every column" if chosen_here else ""
        found.append(Model(name, document.configuration, note))
    found += [Model(f"preset {name}", load_preset(name)) for name in presets]
    names = [m.name for m in found]
    if len(set(names)) < len(names):
        raise InputError("two configurations have one name: rename a file, or give each once")
    return found
